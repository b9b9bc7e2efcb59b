// redo/restartpoint.cpp — see restartpoint.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/flush.hpp"
#include "buffer/pool.hpp"
#include "pg/pg_recovery.hpp"
#include "pg/resource.hpp"
#include "redo/missing_pages.hpp"
#include "redo/restartpoint.hpp"
#include "storage/files.hpp"

namespace glassheap::redo {

namespace {

// What the end of a transaction would do; between two records replay holds no latch and no pin.
void clean_up_after_error(MemoryContext caller) {
    ::MemoryContextSwitchTo(caller);
    ::EmitErrorReport();
    ::LWLockReleaseAll();
    ::ConditionVariableCancelSleep();
    pgstat_report_wait_end();
    pg::release_all_pins();
    ::FlushErrorState();
}

// False: some page could not be written, and the log says which.  In a context of its own: an error leaves
// behind what was allocated, and the startup process lives as long as the standby.
bool flush_pool() {
    static MemoryContext context = nullptr;
    if (context == nullptr)
        context =
            AllocSetContextCreate(TopMemoryContext, "glassheap flush in replay", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = ::MemoryContextSwitchTo(context);
    volatile bool done = false;
    buffer::forget_last_tried();
    PG_TRY();
    {
        buffer::flush_all();
        done = true;
    }
    PG_CATCH();
    { clean_up_after_error(caller); }
    PG_END_TRY();
    ::MemoryContextSwitchTo(caller);
    ::MemoryContextReset(context);
    return done;
}

// Writing to a file that is gone would make a new one, with holes, and so does the imaginary page: rather
// end, and meet the missing pages on the way back.  Of free space holes are good enough.
void require_rows(const pg::RelFile &file) {
    if (storage::file_exists(file, pg::kNoBackend, MAIN_FORKNUM)) return;
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_FILE),
             errmsg("file \"%s\" is gone, and pages of it are to be written",
                    storage::path_of(file, pg::kNoBackend, MAIN_FORKNUM)),
             errhint("If the primary does not have it either, start the server again. If it has it, restore "
                     "the file, or make the standby anew from a base backup.")));
}

// The page that could not be written, or, if none was tried, one that was not.  False: there is none.
bool find_unwritten(pg::RelFile *file) noexcept {
    buffer::PageTag tag = buffer::last_tried_page();
    if (tag == buffer::PageTag{} && !buffer::find_dirty_page(&tag)) return false;
    *file = buffer::file_of(tag);
    return true;
}

// A page that is in the file, but somebody holds an older copy of it, which core may write over ours when it
// has hint bits: replay must not begin behind ours.  Where hints need images core keeps none in recovery.
bool find_endangered(pg::RelFile *file) noexcept {
    buffer::PageTag tag;
    if (XLogHintBitIsNeeded() || !buffer::find_undecided_page(&tag)) return false;
    *file = buffer::file_of(tag);
    return true;
}

}  // namespace

void redo_checkpoint(XLogReaderState *record, void (*core)(XLogReaderState *)) {
    pg::RelFile file;
    const bool written = flush_pool();
    if (!(written ? find_endangered(&file) : find_unwritten(&file))) return core(record);
    require_rows(file);
    ereport(LOG, (errmsg("no restartpoint at %X/%X, because %s", LSN_FORMAT_ARGS(record->ReadRecPtr),
                         written ? "somebody has an older copy of a glassheap page pinned in shared_buffers"
                                 : "glassheap pages could not be written"),
                  errdetail("Replay goes on; the pages are tried again at the next checkpoint record.")));
    enter_imaginary_page(file);
    core(record);
    remove_imaginary_page(file);
}

}  // namespace glassheap::redo
