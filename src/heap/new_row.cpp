// heap/new_row.cpp — a new version gets its header, and its place on the page.
//
// Errors: prepare_row may longjmp; put_row never.
// WAL:    none of its own: the caller logs the row.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/new_row.hpp"
#include "heap/row_access.hpp"

namespace glassheap::heap {

HeapTuple prepare_row(Relation rel, HeapTuple tuple, Xid xid, Cid cid, int options) {
    if (IsParallelWorker())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot insert tuples in a parallel worker")));
    HeapTupleHeader row = tuple->t_data;
    row->t_infomask &= static_cast<uint16>(~HEAP_XACT_MASK);
    row->t_infomask2 &= static_cast<uint16>(~HEAP2_XACT_MASK);
    row->t_infomask |= HEAP_XMAX_INVALID;
    HeapTupleHeaderSetXmin(row, xid);
    if ((options & HEAP_INSERT_FROZEN) != 0) HeapTupleHeaderSetXminFrozen(row);
    HeapTupleHeaderSetCmin(row, cid);
    HeapTupleHeaderSetXmax(row, kInvalidXid);
    tuple->t_tableOid = RelationGetRelid(rel);

    if (!can_have_toast(rel)) return tuple;
    if (!HeapTupleHasExternal(tuple) && tuple->t_len <= TOAST_TUPLE_THRESHOLD) [[likely]]
        return tuple;
    return ::heap_toast_insert_or_update(rel, tuple, nullptr, options);
}

void put_row(page::PageEdit page, BlockNo block, HeapTuple tuple, bool speculative) noexcept {
    const SlotNo slot = page.choose_slot();
    if (!page.put_tuple(slot, reinterpret_cast<const char *>(tuple->t_data), tuple->t_len)) [[unlikely]]
        elog(PANIC, "no room for a row of %u bytes on block %u", tuple->t_len, block);
    ItemPointerSet(&tuple->t_self, block, slot);
    if (!speculative) page.set_ctid(slot, page::RowAddress::make(block, slot));
}

}  // namespace glassheap::heap
