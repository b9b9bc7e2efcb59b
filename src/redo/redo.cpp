// redo/redo.cpp — replay: the entry point of our resource manager, and how pages are opened.
//
// Errors: redo runs in the startup process (or a single-user backend): errors are fatal to it.
// See:    doc/design/recovery.md.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "redo/missing_pages.hpp"
#include "redo/redo_support.hpp"
#include "redo/replay_watch.hpp"
#include "redo/rmgr_callbacks.hpp"
#include "storage/files.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::redo {

void RedoPage::finish(XLogReaderState *record) const noexcept {
    page.edit().set_lsn(record->EndRecPtr);
    buffer::mark_dirty_in_redo(page);
}

void RedoPage::close() noexcept {
    if (!page) return;
    page.unlatch();
    page.release();
}

namespace {

void restore_image(XLogReaderState *record, std::uint8_t ref, RedoPage *out) {
    if (!::RestoreBlockImage(record, ref, out->page.data()))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg_internal("%s", record->errormsg_buf)));
    // An all-zero page has no header to hold an LSN.
    if (!out->page.view().is_new()) out->page.edit().set_lsn(record->EndRecPtr);
    buffer::mark_dirty_in_redo(out->page);
    out->action = RedoAction::restored;
}

bool has_image(XLogReaderState *record, std::uint8_t ref) noexcept {
    return XLogRecHasBlockImage(record, ref) && XLogRecBlockImageApply(record, ref);
}

// Nothing of the page as it was is wanted.
bool is_made_anew(XLogReaderState *record, std::uint8_t ref) noexcept {
    return has_image(record, ref) || (XLogRecGetBlock(record, ref)->flags & BKPBLOCK_WILL_INIT) != 0;
}

}  // namespace

buffer::RoomInRedo make_room(XLogReaderState *record, std::uint8_t ref) {
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;
    ::XLogRecGetBlockTag(record, ref, &file, &fork, &block);
    return {file, fork, block, is_made_anew(record, ref)};
}

bool may_meet_torn_pages() noexcept {
    return !reachedConsistency && !::DataChecksumsEnabled();
}

bool is_torn(XLogReaderState *record, std::uint8_t ref) {
    if (!may_meet_torn_pages() || is_made_anew(record, ref)) return false;
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;
    ::XLogRecGetBlockTag(record, ref, &file, &fork, &block);
    if (!buffer::is_torn_in_redo(file, fork, block)) return false;
    char *path = storage::path_of(file, pg::kNoBackend, fork);
    ereport(LOG,
            (errmsg("block %u of relation %s is torn; replay passes over it", block, path),
             errdetail("A later record has an image of it, unless something else than a crash damaged it.")));
    ::pfree(path);
    return true;
}

RedoPage open_page(XLogReaderState *record, std::uint8_t ref, RedoLatch latch, buffer::RoomInRedo *room) {
    RedoPage out;
    ::XLogRecGetBlockTag(record, ref, &out.file, &out.fork, &out.block);
    const bool anew = is_made_anew(record, ref);
    out.page = buffer::redo_page(out.file, out.fork, out.block, anew, latch == RedoLatch::cleanup, room);
    if (anew && has_image(record, ref)) {
        restore_image(record, ref, &out);
        return out;
    }
    if (anew) {
        out.edit().init();
        out.action = RedoAction::apply;
        return out;
    }
    // Zeroes are no page either: the file was dropped or cut, and grew again by a record for a later block.
    if (!out.page || out.page.view().is_new()) {
        out.close();
        note_missing_page(out.file, out.fork, out.block);
        return out;
    }
    out.action = record->EndRecPtr <= out.page.view().lsn() ? RedoAction::done : RedoAction::apply;
    return out;
}

BlockNo block_of_ref(XLogReaderState *record, std::uint8_t ref) {
    BlockNo block;
    ::XLogRecGetBlockTag(record, ref, nullptr, nullptr, &block);
    return block;
}

pg::RelFile file_of_ref(XLogReaderState *record, std::uint8_t ref) {
    pg::RelFile file;
    ::XLogRecGetBlockTag(record, ref, &file, nullptr, nullptr);
    return file;
}

ByteReader main_data(XLogReaderState *record) noexcept {
    return {XLogRecGetData(record), XLogRecGetDataLen(record)};
}

ByteReader block_data(XLogReaderState *record, std::uint8_t ref) noexcept {
    if (!XLogRecHasBlockRef(record, ref)) return {nullptr, 0};
    const DecodedBkpBlock *block = XLogRecGetBlock(record, ref);
    return block->has_data ? ByteReader(block->data, block->data_len) : ByteReader(nullptr, 0);
}

static_assert(kVmBits == vm::kBothBits && kVmFrozenOnly == vm::kAllFrozenBit);

Verdict judge(XLogReaderState *record) noexcept {
    return judge(XLogRecGetInfo(record), main_data(record), block_data(record, kPageRef));
}

const char *what_is_unknown(XLogReaderState *record) {
    const auto info = static_cast<std::uint8_t>(XLogRecGetInfo(record) & ~XLR_INFO_MASK);
    const char *type = gh_rm_identify(info);
    if (type == nullptr) return ::psprintf("Record type 0x%02X is unknown to this version.", info);
    OtherHead head;
    ByteReader in = main_data(record);
    if (info == static_cast<std::uint8_t>(RecordType::other) && parse(in, &head) && !head.is_known())
        return ::psprintf("Record type %s with subtype %u in format %u is unknown to this version.", type,
                          static_cast<unsigned>(head.what), head.format);
    return ::psprintf("A record of type %s says something that is unknown to this version.", type);
}

void bad_record(XLogReaderState *record, const char *what) {
    const Verdict verdict = judge(record);
    // It is the record itself: replay_watch would take it for two histories of one page.
    if (verdict != Verdict::understood) end_record();
    if (verdict == Verdict::newer)
        ereport(
            PANIC,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("glassheap WAL record at %X/%X cannot be replayed: a newer version of glassheap wrote it",
                    LSN_FORMAT_ARGS(record->ReadRecPtr)),
             errdetail_internal("%s", what_is_unknown(record)),
             errhint("Install the glassheap that wrote it, or a later one.")));
    ereport(PANIC,
            (errcode(ERRCODE_DATA_CORRUPTED), errmsg("glassheap WAL record at %X/%X cannot be replayed: %s",
                                                     LSN_FORMAT_ARGS(record->ReadRecPtr), what)));
    pg_unreachable();
}

void require_normal(XLogReaderState *record, const RedoPage &page, SlotNo slot) {
    const page::PageView view = page.page.view();
    if (slot == kInvalidSlot || slot > view.max_slot() || !view.line(slot).is_normal())
        bad_record(record, "its line pointer holds no row");
}

namespace {

// Every VM page of a record is changed once (see vm::redo_clear): a second call for the same record would
// find it done and do nothing.
void expect_first_change_of_map(XLogReaderState *record) noexcept {
    static Lsn last = kInvalidLsn;
    GH_ASSERT(record->ReadRecPtr != last);
    last = record->ReadRecPtr;
}

constexpr std::uint8_t kVmRefs[] = {kVmRef, kOldVmRef};

}  // namespace

void clear_vm_bits(XLogReaderState *record, std::span<const BlockNo> heap_blocks, std::uint8_t bits) {
    expect_first_change_of_map(record);
    if (!vm::redo_clear(record, kVmRefs, heap_blocks, bits))
        bad_record(record, "it does not name the visibility map page of its block");
}

void clear_vm_bits(XLogReaderState *record, BlockNo heap_block, std::uint8_t bits) {
    clear_vm_bits(record, std::span(&heap_block, 1), bits);
}

void set_vm_bits(XLogReaderState *record, std::uint8_t bits) {
    expect_first_change_of_map(record);
    if (!vm::redo_set(record, kVmRef, block_of_ref(record, kPageRef), bits))
        bad_record(record, "it does not name the visibility map page of its block");
}

namespace {

void dispatch(XLogReaderState *record) {
    switch (static_cast<RecordType>(XLogRecGetInfo(record) & ~XLR_INFO_MASK)) {
        case RecordType::insert:
            return redo_insert(record, false);
        case RecordType::insert_init:
            return redo_insert(record, true);
        case RecordType::multi_insert:
            return redo_multi_insert(record);
        case RecordType::remove:
            return redo_remove(record);
        case RecordType::update:
            return redo_update(record, false);
        case RecordType::hot_update:
            return redo_update(record, true);
        case RecordType::lock:
            return redo_lock(record);
        case RecordType::confirm:
            return redo_confirm(record);
        case RecordType::prune:
            return redo_prune(record);
        case RecordType::vacuum:
            return redo_vacuum(record);
        case RecordType::visible:
            return redo_visible(record);
        case RecordType::hint_image:
        case RecordType::new_pages:
            return redo_images(record);
        case RecordType::other:
            return redo_other(record);
    }
    bad_record(record, "unknown record type");
}

}  // namespace

extern "C" void gh_rm_redo(XLogReaderState *record) {
    begin_record(record);
    dispatch(record);
    end_record();
    if ((XLogRecGetInfo(record) & XLR_CHECK_CONSISTENCY) != 0) check_consistency(record);
}

extern "C" void gh_rm_cleanup() {
    // The end-of-recovery checkpoint runs in the checkpointer, before any guardian exists
    // (doc/design/recovery.md#restartpoints).
    buffer::flush_all();
}

}  // namespace glassheap::redo
