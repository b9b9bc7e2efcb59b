// scan/tid.cpp — one row by its address, without a scan to hold the page: the slot gets a copy (slot.R4).
//
// Locking: none on return.
// Errors: may longjmp.
// See:    slot.R4, slot.R5, slot.R8, slot.R11; PG: access/heap/heapam_handler.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "buffer/setup.hpp"
#include "heap/fetch.hpp"
#include "heap/handed_pages.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

bool fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot) {
    buffer::require_ready();
    HeapTupleData tuple;
    tuple.t_self = *tid;  // callers pass &slot->tts_tid
    buffer::PinnedPage page;
    if (!heap::fetch(rel, snapshot, &tuple, &page, false)) return false;
    heap::require_within_page(rel, tuple, page);
    heap::note_handed_out(rel, page.block());
    store_copy(slot, &tuple);
    return true;
}

bool tid_valid(TableScanDesc scan, ItemPointer tid) {
    return ItemPointerIsValid(tid) && ItemPointerGetBlockNumber(tid) < row_scan(scan).block_count;
}

void get_latest_tid(TableScanDesc scan, ItemPointer tid) {
    heap::latest_tid(scan->rs_rd, scan->rs_snapshot, tid);
}

namespace {

// The header of the row that the slot was filled from, if it still has one.
HeapTupleHeader header_in_slot(TupleTableSlot *slot) noexcept {
    if (!TTS_IS_HEAPTUPLE(slot)) return nullptr;
    HeapTuple tuple = reinterpret_cast<HeapTupleTableSlot *>(slot)->tuple;
    return tuple != nullptr ? tuple->t_data : nullptr;
}

bool page_holds_row(const buffer::PinnedPage &page, SlotNo row, TupleTableSlot *slot) {
    if (!heap::is_normal_slot(page.view(), row)) return false;
    // Pruned and reused for another row?  A row keeps its inserter's xid for ever.
    HeapTupleHeader copy = header_in_slot(slot);
    return copy == nullptr || HeapTupleHeaderGetRawXmin(copy) == page.view().tuple(row).xmin;
}

}  // namespace

bool tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot) {
    // The slot's copy has the header of when it was made: the row itself must be asked (slot.R5).
    const buffer::PinnedPage page =
        buffer::read_page(rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(&slot->tts_tid));
    const SlotNo row = ItemPointerGetOffsetNumber(&slot->tts_tid);
    const buffer::ShareLatch latch(page);
    if (!page_holds_row(page, row, slot)) return false;
    HeapTupleData tuple = heap::tuple_at(rel, page, row);
    return mvcc::satisfies(&tuple, snapshot, &page);
}

}  // namespace glassheap::scan
