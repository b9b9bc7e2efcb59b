// redo/core_wrappers.cpp — what core's own records mean for our pool, on the replay side (design.D4).
//
// Why:    replay of a checkpoint may become a restartpoint, so the pool must be on disk first; replay of a
//         drop, truncation or file copy touches files behind the pool's back, and so does a heap record for a
//         file of ours.  rm_redo of six managers is replaced by a function that does our part and then calls
//         the original (doc/design/recovery.md#restartpoints).
// Invariants: our part comes first: pages are forgotten before their file goes, flushed before it is copied;
//         and when they are forgotten, nobody can read them back: whoever could is locked out by a record
//         replayed before, or by us (redo_drop).
// Errors: fatal to the startup process; what a checkpoint record finds unwritable is not (restartpoint).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/hand_over.hpp"
#include "buffer/settings.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_core_records.hpp"
#include "pg/pg_recovery.hpp"
#include "redo/redo_support.hpp"
#include "redo/replay_watch.hpp"
#include "redo/restartpoint.hpp"
#include "redo/rmgr.hpp"

namespace glassheap::redo {

namespace {

using pg::Redo;

void forget(const pg::RelFile &file) {
    buffer::forget_relation(pg::shared_file(file));
}

// Core changes these pages in shared_buffers: what our pool has of them goes to the file before.  What a
// query has read meanwhile goes unwritten: core's page may be in the file.
using Part = void (*)(const pg::RelFile &, ForkNumber, BlockNo);
void part_with_pages(XLogReaderState *record, Part part) {
    if (!buffer::debug_tripwire) return;
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref) {
        if (!XLogRecHasBlockRef(record, ref)) continue;
        pg::RelFile file;
        ForkNumber fork;
        BlockNo block;
        ::XLogRecGetBlockTag(record, static_cast<std::uint8_t>(ref), &file, &fork, &block);
        if (fork == MAIN_FORKNUM || fork == FSM_FORKNUM) part(file, fork, block);
    }
}

// ---- RM_XLOG: a restartpoint may begin here
Redo core_xlog_redo = nullptr;

// Core changes pages of these records in shared_buffers.
void redo_by_core(Redo redo, XLogReaderState *record) {
    if (!buffer::is_ready()) return redo(record);
    part_with_pages(record, buffer::begin_core_replay);
    const bool watched = buffer::was_ever_used();  // not on servers without tables of ours
    if (watched) {
        part_with_pages(record, buffer::part_with_page);
        begin_record(record);
        GH_STOP_POINT("redo.core_record");
    }
    redo(record);
    if (watched) {
        end_record();
        GH_STOP_POINT("redo.core_replayed");
    }
    // Used for the first time meanwhile, perhaps.
    if (buffer::was_ever_used()) part_with_pages(record, buffer::drop_met_page);
    buffer::end_core_replay();
}

extern "C" void gh_xlog_redo(XLogReaderState *record) {
    const std::uint8_t info = pg::info_of(record);
    if (info == XLOG_CHECKPOINT_ONLINE || info == XLOG_CHECKPOINT_SHUTDOWN)
        redo_checkpoint(record, core_xlog_redo);
    else if (info == XLOG_FPI || info == XLOG_FPI_FOR_HINT)
        redo_by_core(core_xlog_redo, record);
    else
        core_xlog_redo(record);
}

// ---- RM_HEAP, RM_HEAP2: a page of a heap table; or of ours, by code that bypasses the table access method
Redo core_heap_redo = nullptr;
Redo core_heap2_redo = nullptr;

extern "C" void gh_heap_redo(XLogReaderState *record) {
    redo_by_core(core_heap_redo, record);
}

extern "C" void gh_heap2_redo(XLogReaderState *record) {
    redo_by_core(core_heap2_redo, record);
}

// ---- RM_XACT: files of dropped relations go
Redo core_xact_redo = nullptr;

extern "C" void gh_xact_redo(XLogReaderState *record) {
    // COMMIT PREPARED and ROLLBACK PREPARED have no callback on a primary: as there (lifecycle/lifecycle),
    // let nothing stay in the pool that they might unlink.  The transaction's exclusive locks keep it that
    // way.
    const bool prepares = pg::transaction_end_of(record) == pg::TransactionEnd::prepare;
    pg::for_each_file_that_goes(record, [prepares](const pg::RelFile &file) {
        if (prepares)
            buffer::part_with_relation(pg::shared_file(file));
        else
            forget(file);
    });
    core_xact_redo(record);
}

// ---- RM_SMGR: files are born and cut
Redo core_smgr_redo = nullptr;

void before_smgr(const pg::FileChange &change) {
    // A reused relfilenode: whatever the pool holds under this number is of a dead relation.  But when replay
    // passes here a second time, the file may be the living one, whose pages are simply read again (they are
    // on disk, or will be restored by the records that follow).
    if (change.kind == pg::FileChange::created && change.fork == MAIN_FORKNUM)
        buffer::forget_from(pg::shared_file(change.file), InvalidForkNumber, 0);
    if (change.kind == pg::FileChange::truncated)
        buffer::forget_from(pg::shared_file(change.file), MAIN_FORKNUM, change.blocks);
}

extern "C" void gh_smgr_redo(XLogReaderState *record) {
    const pg::FileChange change = pg::file_change_of(record);
    before_smgr(change);
    core_smgr_redo(record);
    if (change.kind == pg::FileChange::truncated) buffer::redo_cut_aside(change.file, change.blocks);
}

// ---- RM_DBASE: whole directories are copied and removed
Redo core_dbase_redo = nullptr;

void before_copy(const pg::DatabaseCopy &copy) {
    buffer::flush_database_for_core(copy.source);
    // The copy replaces the directory: nothing cached of it may survive (ALTER DATABASE SET TABLESPACE).
    buffer::forget_database(copy.target, copy.tablespace);
}

// A standby's sessions could read pages back behind our forget, and dirty them with hints, up to the moment
// when core ends them; and then it removes the files.  So they end here; core finds none left.
void redo_drop(XLogReaderState *record, const pg::DatabaseDrop &drop) {
    const bool has_sessions = InHotStandby;
    if (has_sessions) pg::shut_database(drop.database);
    for (const Oid tablespace : drop.tablespaces) {
        buffer::forget_database(drop.database, tablespace);
        buffer::unmark_database(drop.database, tablespace);
    }
    core_dbase_redo(record);
    if (has_sessions) pg::reopen_database(drop.database);
}

extern "C" void gh_dbase_redo(XLogReaderState *record) {
    pg::DatabaseDrop drop;
    if (pg::is_database_drop(record, &drop)) return redo_drop(record, drop);
    pg::DatabaseCopy copy;
    if (pg::is_database_copy(record, &copy)) before_copy(copy);
    core_dbase_redo(record);
}

}  // namespace

void wrap_core_redo() {
    core_xlog_redo = pg::exchange_redo(RM_XLOG_ID, gh_xlog_redo);
    core_heap_redo = pg::exchange_redo(RM_HEAP_ID, gh_heap_redo);
    core_heap2_redo = pg::exchange_redo(RM_HEAP2_ID, gh_heap2_redo);
    core_xact_redo = pg::exchange_redo(RM_XACT_ID, gh_xact_redo);
    core_smgr_redo = pg::exchange_redo(RM_SMGR_ID, gh_smgr_redo);
    core_dbase_redo = pg::exchange_redo(RM_DBASE_ID, gh_dbase_redo);
}

}  // namespace glassheap::redo
