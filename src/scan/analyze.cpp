// scan/analyze.cpp — the rows of a block for ANALYZE, with its count of live and dead ones.
//
// Why:    analyze_count.hpp.
// Locking: the block stays pinned and latched share from analyze_next_block until analyze_next_tuple says
//         that it has no more rows: rows are copied meanwhile by the caller, nothing else happens.
// Errors: may longjmp (pin and latch are abandonable).
// See:    PG: access/heap/heapam_handler.c, commands/analyze.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/visibility.hpp"
#include "scan/analyze_count.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

Counts count_row(HeapTuple tuple, TransactionId oldest_xmin, const buffer::PinnedPage *page) {
    switch (mvcc::satisfies_vacuum(tuple, oldest_xmin, page)) {
        case HEAPTUPLE_LIVE:
            return Counts::live;
        case HEAPTUPLE_DEAD:
        case HEAPTUPLE_RECENTLY_DEAD:
            return Counts::dead;
        case HEAPTUPLE_INSERT_IN_PROGRESS: {
            const bool ours = ::TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
            return ours ? Counts::live : Counts::neither;
        }
        case HEAPTUPLE_DELETE_IN_PROGRESS: {
            const bool ours = ::TransactionIdIsCurrentTransactionId(mvcc::update_xid(tuple->t_data));
            return ours ? Counts::dead : Counts::live;
        }
    }
    elog(ERROR, "unexpected result of a visibility check");
    pg_unreachable();
}

bool analyze_next_block(TableScanDesc sscan, BlockNo block, BufferAccessStrategy strategy) {
    RowScan &scan = row_scan(sscan);
    if (strategy != nullptr && scan.ring == nullptr) scan.ring = buffer::make_ring(buffer::RingKind::vacuum);
    scan.page.release();
    scan.page = buffer::read_page(scan.rel(), MAIN_FORKNUM, block, scan.ring);
    set_block(scan, block);
    scan.row = kInvalidSlot;
    scan.page.latch_share();
    return true;  // every block may hold rows
}

bool analyze_next_tuple(TableScanDesc sscan, TransactionId oldest_xmin, double *live, double *dead,
                        TupleTableSlot *slot) {
    RowScan &scan = row_scan(sscan);
    const page::PageView view = scan.page.view();
    const SlotNo last = view.max_slot();
    while (scan.row < last) {
        const page::LinePointer line = view.line(++scan.row);
        // Dead line pointers still need a vacuum: they count.
        if (line.is_dead()) *dead += 1;
        if (!line.is_normal()) continue;

        HeapTupleData tuple;
        row_at(scan, scan.row, &tuple);
        const Counts counts = count_row(&tuple, oldest_xmin, &scan.page);
        if (counts == Counts::dead) *dead += 1;
        if (counts != Counts::live) continue;
        *live += 1;
        store_in_place(slot, tuple);
        return true;
    }
    scan.page.unlatch();
    leave_block(scan);
    ::ExecClearTuple(slot);
    return false;
}

}  // namespace glassheap::scan
