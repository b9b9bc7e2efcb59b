// heap/speculative.cpp — the second half of INSERT ... ON CONFLICT: keep the row, or take it back.
//
// Why:    a speculative row carries a token in its ctid; others that meet it wait for the token, not for the
//         whole transaction, so taking it back must be visible at once.
// Locking: the page latch.
// Errors: may longjmp before the critical section.
// WAL:    RecordType::confirm; RecordType::remove flagged as speculative.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/heap_errors.hpp"
#include "heap/row_access.hpp"
#include "heap/rows.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {
namespace {

buffer::PinnedPage latch_row(Relation rel, ItemPointer tid) {
    buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(tid));
    page.latch_exclusive();
    if (!is_normal_slot(page.view(), ItemPointerGetOffsetNumber(tid))) report_no_such_row(rel, *tid);
    return page;
}

// Dead at once.  TransactionXmin is the oldest xid to be had cheaply that cannot wrap around; a relation
// newer than that wants its own relfrozenxid.
Xid prunable_since(Relation rel) {
    const Xid frozen = rel->rd_rel->relfrozenxid;
    return ::TransactionIdPrecedes(TransactionXmin, frozen) ? frozen : TransactionXmin;
}

}  // namespace

void finish_speculative(Relation rel, ItemPointer tid) {
    const buffer::PinnedPage page = latch_row(rel, tid);
    const SlotNo slot = ItemPointerGetOffsetNumber(tid);
    GH_ASSERT(HeapTupleHeaderIsSpeculative(header_at(page, slot)));
    buffer::PageChange change;
    change.add(page);
    page.edit().confirm_speculative(slot, page.block());
    if (RelationNeedsWAL(rel)) wal::emit_confirm(rel, page, slot);
    change.finish();
    page.unlatch();
}

void abort_speculative(Relation rel, ItemPointer tid) {
    const Xid xid = ::GetCurrentTransactionId();
    const buffer::PinnedPage page = latch_row(rel, tid);
    GH_ASSERT(!page.view().all_visible());  // we inserted into it and are still running
    const SlotNo slot = ItemPointerGetOffsetNumber(tid);
    HeapTupleData tuple = tuple_at(rel, page, slot);
    if (HeapTupleHeaderGetRawXmin(tuple.t_data) != xid)
        elog(ERROR, "attempted to kill a tuple inserted by another transaction");
    if (!HeapTupleHeaderIsSpeculative(tuple.t_data)) elog(ERROR, "attempted to kill a non-speculative tuple");

    buffer::PageChange change;
    change.add(page);
    page.edit().hint_prunable(prunable_since(rel));
    page.edit().abort_speculative(slot, page.block());
    if (RelationNeedsWAL(rel)) {
        wal::emit_remove(
            {.rel = rel, .page = &page, .slot = slot, .mark = {.xmax = xid}, .speculative_abort = true});
    }
    change.finish();
    page.unlatch();

    if (HeapTupleHasExternal(&tuple)) ::heap_toast_delete(rel, &tuple, true);
    ::pgstat_count_heap_delete(rel);  // as its insertion was counted
}

}  // namespace glassheap::heap
