// wal/emit_update.cpp — the record of an update, the one short transactions write most.
//
// Why:    an update rarely changes more than a few bytes.  When both versions are on one page and the record
//         will carry no image of it, only the bytes between the common ends are logged, and no row head when
//         it follows from the old one's.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "wal/emit_support.hpp"

namespace glassheap::wal {

namespace {

// Only a guess: XLogInsert decides again under its lock.  A wrong guess costs bytes, never correctness, for
// redo ignores the rows of a page it restores from an image.
bool image_expected(const buffer::PinnedPage &page) {
    Lsn redo;
    bool full_page_writes;
    ::GetFullPageWriteInfo(&redo, &full_page_writes);
    return full_page_writes && page.view().lsn() <= redo;
}

// What block 0 will say about the new row, ready to be registered.
struct NewRow {
    std::uint16_t flags = kHeadStored | kBodyStored;
    char ends[10];  // two varints
    std::size_t ends_size = 0;
    std::span<const char> middle;
};

NewRow plan_new_row(const UpdateLog &log, const LoggedTuple &old_tuple, const LoggedTuple &new_tuple,
                    bool logical) {
    NewRow row;
    row.middle = new_tuple.body();
    const bool same_page = log.old_page->frame() == log.new_page->frame();
    if (!same_page || logical || image_expected(*log.new_page)) return row;
    if (old_tuple.head().body_start() != new_tuple.head().body_start() ||
        old_tuple.head().hoff != new_tuple.head().hoff)
        return row;
    if (new_tuple.head() == expected_head(old_tuple.head(), log.hot))
        row.flags &= static_cast<std::uint16_t>(~kHeadStored);
    const CommonEnds common = common_ends(old_tuple.body(), new_tuple.body());
    ByteWriter out(row.ends, sizeof row.ends);
    out.varint(static_cast<std::uint32_t>(common.prefix));
    out.varint(static_cast<std::uint32_t>(common.suffix));
    if (common.prefix + common.suffix <= out.size()) return row;
    row.flags &= static_cast<std::uint16_t>(~kBodyStored);
    row.ends_size = out.size();
    row.middle = row.middle.subspan(common.prefix, row.middle.size() - common.prefix - common.suffix);
    return row;
}

UpdateRecord plan_record(const UpdateLog &log, bool same_page, bool logical, std::uint16_t row_flags) {
    UpdateRecord record{};
    record.old_slot = ItemPointerGetOffsetNumber(&log.old_tuple->t_self);
    record.new_slot = ItemPointerGetOffsetNumber(&log.new_tuple->t_self);
    record.mark = pack_mark(log.old_mark.infomask_bits, log.old_mark.infomask2_bits);
    record.flags = row_flags;
    record.old_xmax = log.old_mark.xmax;
    record.new_xmax = HeapTupleHeaderGetRawXmax(log.new_tuple->t_data);
    if (record.old_xmax != ::GetCurrentTransactionIdIfAny()) record.flags |= kXmaxStored;
    if (record.new_xmax != kInvalidXid) record.flags |= kNewXmaxStored;
    if (logical)
        record.flags |= static_cast<std::uint16_t>(kContainsNewTuple | old_key_flag(log.rel, log.old_key));
    if (same_page) {
        if (BufferIsValid(log.cleared_vm_old) || BufferIsValid(log.cleared_vm_new)) record.flags |= kClearVm;
        return record;
    }
    if (BufferIsValid(log.cleared_vm_new)) record.flags |= kClearVm;
    if (BufferIsValid(log.cleared_vm_old)) record.flags |= kClearVmOld;
    return record;
}

// The VM buffers by reference number: [0] kVmRef, [1] kOldVmRef.
struct VmRefs {
    Buffer page = InvalidBuffer;
    Buffer old_page = InvalidBuffer;
};
VmRefs choose_vm_refs(const UpdateLog &log, bool same_page) noexcept {
    if (same_page)
        return {BufferIsValid(log.cleared_vm_old) ? log.cleared_vm_old : log.cleared_vm_new, InvalidBuffer};
    if (log.cleared_vm_old == log.cleared_vm_new) return {log.cleared_vm_new, InvalidBuffer};
    return {log.cleared_vm_new, log.cleared_vm_old};
}

void register_new_row(const NewRow &row, LoggedTuple *tuple) {
    if ((row.flags & kHeadStored) != 0) tuple->register_head_with_block(kPageRef);
    if (row.ends_size != 0)
        ::XLogRegisterBufData(kPageRef, const_cast<char *>(row.ends), static_cast<int>(row.ends_size));
    if (!row.middle.empty())
        ::XLogRegisterBufData(kPageRef, const_cast<char *>(row.middle.data()),
                              static_cast<int>(row.middle.size()));
}

}  // namespace

Lsn emit_update(const UpdateLog &log) {
    const bool same_page = log.old_page->frame() == log.new_page->frame();
    const bool logical = RelationIsLogicallyLogged(log.rel);
    const LoggedTuple old_tuple(log.old_tuple);
    LoggedTuple new_tuple(log.new_tuple);
    const NewRow row = plan_new_row(log, old_tuple, new_tuple, logical);
    const UpdateRecord record = plan_record(log, same_page, logical, row.flags);
    const VmRefs vm = choose_vm_refs(log, same_page);
    MainData main;
    main.set(record);

    ::XLogBeginInsert();
    main.register_it();
    register_page(
        kPageRef, log.rel, *log.new_page,
        static_cast<std::uint8_t>((log.init_page ? REGBUF_WILL_INIT : 0) | (logical ? REGBUF_KEEP_DATA : 0)));
    if (!same_page) register_page(kOldPageRef, log.rel, *log.old_page, 0);
    register_new_row(row, &new_tuple);
    register_vm(kVmRef, vm.page);
    register_vm(kOldVmRef, vm.old_page);
    alignas(LoggedTuple) char key_space[sizeof(LoggedTuple)];
    if (logical && log.old_key != nullptr)
        (new (key_space) LoggedTuple(log.old_key))->register_as_main_data();
    ::XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
    const Lsn lsn = insert_record(log.hot ? RecordType::hot_update : RecordType::update);
    stamp(*log.new_page, lsn);
    if (!same_page) stamp(*log.old_page, lsn);
    stamp_vm(vm.page, lsn);
    stamp_vm(vm.old_page, lsn);
    return lsn;
}

}  // namespace glassheap::wal
