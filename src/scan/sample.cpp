// scan/sample.cpp — TABLESAMPLE: the method chooses blocks and rows, we say which of them are visible.
//
// Why:    methods may choose rows in any order (system_rows, system_time), so a page's visible rows are
//         looked up, not walked.
// Locking: in row mode the page is latched share while a row is searched; nothing is held on return.
// Errors: may longjmp (the method is foreign code; the latch goes with LWLockReleaseAll).
// See:    PG: access/heap/heapam_handler.c (facts), tablesample-method.sgml
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/visibility.hpp"
#include "pg/pg_tsm.hpp"
#include "scan/page_rows.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

namespace {

// The block after the present one, for methods that read every block; kInvalidBlock at the end.
BlockNo next_in_sequence(RowScan &scan) {
    if (scan.block == kInvalidBlock) return scan.start_block;
    const BlockNo block = following_block(scan);
    return block == scan.start_block ? kInvalidBlock : block;
}

bool is_listed(const RowScan &scan, SlotNo row) noexcept {
    return std::binary_search(scan.rows, scan.rows + scan.row_count, row);
}

bool is_visible(const RowScan &scan, SlotNo row) {
    if (scan.in_page_mode()) return is_listed(scan, row);
    HeapTupleData tuple = row_at(scan, row);
    Snapshot snapshot = scan.base.rs_snapshot;
    const bool visible = (scan.page.view().all_visible() && !snapshot->takenDuringRecovery) ||
                         mvcc::satisfies(&tuple, snapshot, &scan.page);
    mvcc::check_serializable_read(visible, scan.rel(), &tuple, &scan.page, snapshot);
    return visible;
}

// The next visible row that the method wants of this page; kInvalidSlot when it has done with the page.
SlotNo choose_row(RowScan &scan, SampleScanState *state) {
    const page::PageView view = scan.page.view();
    const SlotNo last = view.max_slot();
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const SlotNo row = state->tsmroutine->NextSampleTuple(state, scan.block, last);
        if (!OffsetNumberIsValid(row)) return kInvalidSlot;
        if (view.line(row).is_normal() && is_visible(scan, row)) return row;
    }
}

}  // namespace

bool sample_next_block(TableScanDesc sscan, SampleScanState *state) {
    RowScan &scan = row_scan(sscan);
    if (scan.block_count == 0) return false;
    const auto next_block = state->tsmroutine->NextSampleBlock;
    const BlockNo block =
        next_block != nullptr ? next_block(state, scan.block_count) : next_in_sequence(scan);
    if (block == kInvalidBlock) {
        leave_block(scan);
        scan.started = false;
        return false;
    }
    load_block(scan, block);
    scan.started = true;
    return true;
}

bool sample_next_tuple(TableScanDesc sscan, SampleScanState *state, TupleTableSlot *slot) {
    RowScan &scan = row_scan(sscan);
    const bool page_mode = scan.in_page_mode();
    if (!page_mode) scan.page.latch_share();
    const SlotNo row = choose_row(scan, state);
    if (!page_mode) scan.page.unlatch();

    if (row == kInvalidSlot) {
        ::ExecClearTuple(slot);
        return false;
    }
    store_in_place(slot, row_at(scan, row));
    pgstat_count_heap_getnext(scan.rel());
    return true;
}

}  // namespace glassheap::scan
