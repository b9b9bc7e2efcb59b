// wal/emit_rows.cpp — records of row operations: insert, remove, lock, confirm.  (Updates: emit_update.cpp.)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "wal/emit_support.hpp"

namespace glassheap::wal {

Lsn emit_insert(const InsertLog &log) {
    const bool logical = RelationIsLogicallyLogged(log.rel) && (log.options & HEAP_INSERT_NO_LOGICAL) == 0;
    InsertRecord record{log.slot, 0};
    if (BufferIsValid(log.cleared_vm)) record.flags |= kClearVm;
    if ((log.options & HEAP_INSERT_SPECULATIVE) != 0) record.flags |= kIsSpeculative;
    if (logical) record.flags |= kContainsNewTuple;
    if (logical && ::IsToastRelation(log.rel)) record.flags |= kOnToastRelation;
    MainData main;
    main.set(record);
    LoggedTuple tuple(log.tuple);

    ::XLogBeginInsert();
    main.register_it();
    register_page(
        kPageRef, log.rel, *log.page,
        static_cast<std::uint8_t>((log.init_page ? REGBUF_WILL_INIT : 0) | (logical ? REGBUF_KEEP_DATA : 0)));
    tuple.register_with_block(kPageRef);
    register_vm(kVmRef, log.cleared_vm);
    ::XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
    const Lsn lsn = insert_record(log.init_page ? RecordType::insert_init : RecordType::insert);
    stamp(*log.page, lsn);
    stamp_vm(log.cleared_vm, lsn);
    return lsn;
}

namespace {

bool slots_in_row(const MultiInsertLog &log) noexcept {
    for (int i = 1; i < log.count; ++i)
        if (log.slots[i] != log.slots[0] + i) return false;
    return true;
}

// The rows, coded into log.scratch; sets the flags that say how.
std::size_t pack_rows(const MultiInsertLog &log, std::uint8_t *flags) noexcept {
    const char *tuples[page::kMaxTuplesPerPage];
    std::size_t lengths[page::kMaxTuplesPerPage];
    GH_ASSERT(log.count <= page::kMaxTuplesPerPage);
    for (int i = 0; i < log.count; ++i) {
        const page::LinePointer line = log.page->view().line(log.slots[i]);
        tuples[i] = log.page->data() + line.offset();
        lengths[i] = line.length();
    }
    return write_rows(log.scratch, page::kPageSize, tuples, lengths, log.count, flags);
}

}  // namespace

Lsn emit_multi_insert(const MultiInsertLog &log) {
    const bool logical = RelationIsLogicallyLogged(log.rel) && (log.options & HEAP_INSERT_NO_LOGICAL) == 0;
    MultiInsertRecord record{.count = static_cast<std::uint16_t>(log.count), .first = log.slots[0]};
    const bool in_row = slots_in_row(log);
    GH_ASSERT(!log.init_page || (in_row && log.slots[0] == 1));
    if (in_row) record.flags |= kSlotsInRow;
    if (log.init_page) record.flags |= kInitPage;
    if (logical) record.flags |= kContainsNewTuple;
    if (log.last) record.flags |= kLastInMulti;
    if (BufferIsValid(log.vm)) record.flags |= log.all_frozen_set ? kAllFrozenSet : kClearVm;
    const std::size_t packed = pack_rows(log, &record.flags);
    MainData main;
    ByteWriter out(main.bytes, sizeof main.bytes);
    write_fixed(out, record);
    main.size = out.size();

    ::XLogBeginInsert();
    main.register_it();
    if (!in_row && !log.init_page)
        ::XLogRegisterData(reinterpret_cast<char *>(const_cast<SlotNo *>(log.slots)),
                           static_cast<int>(static_cast<std::size_t>(log.count) * sizeof(SlotNo)));
    register_page(
        kPageRef, log.rel, *log.page,
        static_cast<std::uint8_t>((log.init_page ? REGBUF_WILL_INIT : 0) | (logical ? REGBUF_KEEP_DATA : 0)));
    ::XLogRegisterBufData(kPageRef, log.scratch, static_cast<int>(packed));
    register_vm(kVmRef, log.vm);
    ::XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
    const Lsn lsn = insert_record(RecordType::multi_insert);
    stamp(*log.page, lsn);
    stamp_vm(log.vm, lsn);
    return lsn;
}

Lsn emit_remove(const RemoveLog &log) {
    RemoveRecord record{.slot = log.slot,
                        .mark = pack_mark(log.mark.infomask_bits, log.mark.infomask2_bits),
                        .flags = 0,
                        .xmax = log.mark.xmax};
    if (BufferIsValid(log.cleared_vm)) record.flags |= kClearVm;
    if (log.partition_move) record.flags |= kPartitionMove;
    if (log.speculative_abort)
        record.flags |= kSpeculativeAbort;
    else if (log.mark.xmax != ::GetCurrentTransactionIdIfAny())
        record.flags |= kXmaxStored;
    record.flags |= old_key_flag(log.rel, log.old_key);
    MainData main;
    main.set(record);

    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, log.rel, *log.page, 0);
    register_vm(kVmRef, log.cleared_vm);
    alignas(LoggedTuple) char key_space[sizeof(LoggedTuple)];
    if (log.old_key != nullptr) (new (key_space) LoggedTuple(log.old_key))->register_as_main_data();
    // A speculative insertion that is taken back belongs to no origin: heap does the same.
    if (!log.speculative_abort) ::XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
    const Lsn lsn = insert_record(RecordType::remove);
    stamp(*log.page, lsn);
    stamp_vm(log.cleared_vm, lsn);
    return lsn;
}

Lsn emit_lock(const LockLog &log) {
    LockRecord record{.slot = log.slot,
                      .mark = pack_mark(log.mark.infomask_bits, log.mark.infomask2_bits),
                      .flags = 0,
                      .xmax = log.mark.xmax};
    if (BufferIsValid(log.cleared_frozen_vm)) record.flags |= kClearFrozen;
    if (log.mark.xmax != ::GetCurrentTransactionIdIfAny()) record.flags |= kXmaxStored;
    // Whether the locker also cut the (dead) forward link is read off the page, not decided twice.
    const page::TupleHead &tuple = log.page->view().tuple(log.slot);
    if (!(tuple.ctid == page::RowAddress::make(log.page->block(), log.slot)) ||
        (tuple.infomask2 & page::kHotUpdated) != 0)
        record.flags |= kChainKept;
    MainData main;
    main.set(record);

    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, log.rel, *log.page, 0);
    register_vm(kVmRef, log.cleared_frozen_vm);
    const Lsn lsn = insert_record(RecordType::lock);
    stamp(*log.page, lsn);
    stamp_vm(log.cleared_frozen_vm, lsn);
    return lsn;
}

Lsn emit_confirm(Relation rel, const buffer::PinnedPage &page, SlotNo slot) {
    MainData main;
    main.set(ConfirmRecord{slot});
    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, rel, page, 0);
    ::XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
    const Lsn lsn = insert_record(RecordType::confirm);
    stamp(page, lsn);
    return lsn;
}

}  // namespace glassheap::wal
