// scan/analyze.cpp — the rows of a block for ANALYZE, with its count of live and dead ones.
//
// Why:    analyze_count.hpp.
// Locking: the block stays pinned and latched share from analyze_next_block until analyze_next_tuple says
//         that it has no more rows: rows are copied meanwhile by the caller, nothing else happens.
// Errors: may longjmp (pin and latch are abandonable).
// See:    PG: access/heap/heapam_handler.c, commands/analyze.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "scan/analyze_count.hpp"
#include "scan/page_rows.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

namespace {

enum class Counts : std::uint8_t { live, dead, neither };

// A transaction in progress is taken as not having happened, since it will report its own changes when it
// ends; our own is taken as having happened.
Counts count_row(HeapTuple tuple, Xid oldest_xmin, const buffer::PinnedPage *page) {
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

// Neither deleted nor locked, and its inserter has no hint yet.
bool is_unhinted(const HeapTupleData &tuple) noexcept {
    constexpr std::uint16_t kAsked = page::kXminFrozen | page::kXmaxInvalid | page::kMoved;
    return (tuple.t_data->t_infomask & kAsked) == page::kXmaxInvalid;
}

Counts judge_row(AnalyzedPage *page, HeapTuple tuple, Xid oldest_xmin) {
    if (page->live_only || is_plainly_live(tuple)) return Counts::live;
    // Loads leave pages full of rows of one transaction.
    const Xid inserter = HeapTupleHeaderGetRawXmin(tuple->t_data);
    const bool memorable = is_unhinted(*tuple) && TransactionIdIsNormal(inserter);
    if (memorable && inserter == page->live_inserter) return Counts::live;
    const Counts counts = count_row(tuple, oldest_xmin, page->pinned);
    if (memorable && counts == Counts::live && ::TransactionIdDidCommit(inserter))
        page->live_inserter = inserter;
    return counts;
}

}  // namespace

bool next_live_row(AnalyzedPage *page, SlotNo *row, Xid oldest_xmin, double *live, double *dead,
                   HeapTupleData *tuple) {
    const page::PageView view(page->bytes);
    const SlotNo last = view.max_slot();
    while (*row < last) {
        const page::LinePointer line = view.line(++*row);
        // Dead line pointers still need a vacuum: they count.
        if (line.is_dead()) *dead += 1;
        if (!line.is_normal()) continue;
        heap::point_at(tuple, page->table, page->bytes, page->block, *row);
        const Counts counts = judge_row(page, tuple, oldest_xmin);
        if (counts == Counts::dead) *dead += 1;
        if (counts != Counts::live) continue;
        *live += 1;
        return true;
    }
    return false;
}

bool analyze_next_block(TableScanDesc sscan, BlockNo block, BufferAccessStrategy strategy) {
    RowScan &scan = row_scan(sscan);
    if (strategy != nullptr && scan.ring == nullptr) scan.ring = buffer::make_ring(buffer::RingKind::vacuum);
    scan.page.release();
    scan.page = buffer::read_page(scan.rel(), MAIN_FORKNUM, block, scan.ring);
    set_block(scan, block);
    scan.row = kInvalidSlot;
    scan.page.latch_share();
    scan.analyzed = {.bytes = scan.page.data(),
                     .block = block,
                     .table = RelationGetRelid(scan.rel()),
                     .pinned = &scan.page,
                     .live_only = has_live_rows_only(scan.page),
                     .live_inserter = scan.analyzed.live_inserter};
    return true;  // every block may hold rows
}

bool analyze_next_tuple(TableScanDesc sscan, Xid oldest_xmin, double *live, double *dead,
                        TupleTableSlot *slot) {
    RowScan &scan = row_scan(sscan);
    HeapTupleData tuple;
    if (next_live_row(&scan.analyzed, &scan.row, oldest_xmin, live, dead, &tuple)) {
        store_in_place(slot, tuple);
        return true;
    }
    scan.page.unlatch();
    leave_block(scan);
    ::ExecClearTuple(slot);
    return false;
}

}  // namespace glassheap::scan
