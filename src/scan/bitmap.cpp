// scan/bitmap.cpp — bitmap heap scans: the rows of one block that an index has named.
//
// Why:    an exact bitmap names roots of HOT chains, of which the visible member is wanted; a lossy one names
//         the block only, and every visible row of it is handed out (the executor rechecks the condition).
// Invariants: scan.M1 on a page that the snapshot sees as a whole, a root is visible itself or redirects to
//            the row that is: no tuple header is looked at (no version on such a page has a successor).
// Locking: none on return; the page stays pinned until the next block, rescan or end.
// Errors: may longjmp.
// See:    PG: access/heap/heapam_handler.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "heap/fetch.hpp"
#include "heap/prune.hpp"
#include "scan/page_rows.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

namespace {

// scan.M1: the row that line pointer `root` stands for, or kInvalidSlot.
SlotNo row_of_root(page::PageView view, SlotNo root) noexcept {
    const SlotNo last = view.max_slot();
    if (root < 1 || root > last) return kInvalidSlot;
    page::LinePointer line = view.line(root);
    if (line.is_normal()) return root;
    if (!line.is_redirect()) return kInvalidSlot;
    const SlotNo target = line.redirect_to();
    return target >= 1 && target <= last && view.line(target).is_normal() ? target : kInvalidSlot;
}

// Rows of a page seen as a whole.
int pick_known_rows(RowScan &scan, const pg::BitmapPage &wanted) {
    int count = 0;
    for (int i = 0; i < pg::row_count(wanted); ++i) {
        const SlotNo row = row_of_root(scan.page.view(), pg::row_at(wanted, i));
        if (row != kInvalidSlot) scan.row_buffer[count++] = row;
    }
    return count;
}

int pick_visible_members(RowScan &scan, const pg::BitmapPage &wanted) {
    int count = 0;
    for (int i = 0; i < pg::row_count(wanted); ++i) {
        ItemPointerData tid;
        HeapTupleData tuple;
        ItemPointerSet(&tid, pg::block_of(wanted), pg::row_at(wanted, i));
        if (heap::hot_search(scan.rel(), &tid, scan.page, scan.base.rs_snapshot, &tuple, nullptr, true))
            scan.row_buffer[count++] = ItemPointerGetOffsetNumber(&tid);
    }
    return count;
}

void list_rows(RowScan &scan, const pg::BitmapPage &wanted) {
    Snapshot snapshot = scan.base.rs_snapshot;
    if (pg::is_lossy(wanted)) {
        const PageRows found = visible_rows(scan.rel(), scan.page, snapshot, true, scan.row_buffer);
        scan.rows = found.rows;
        scan.row_count = found.count;
        return;
    }
    scan.rows = scan.row_buffer;
    scan.row_count = IsMVCCSnapshot(snapshot) && sees_whole_page(scan.rel(), scan.page, snapshot)
                         ? pick_known_rows(scan, wanted)
                         : pick_visible_members(scan, wanted);
}

}  // namespace

bool bitmap_next_block(TableScanDesc sscan, const pg::BitmapPage &wanted) {
    RowScan &scan = row_scan(sscan);
    const BlockNo block = pg::block_of(wanted);
    scan.cursor = 0;
    scan.row_count = 0;
    if (scan.bitmap_ahead != nullptr) scan.bitmap_ahead->before(scan.rel(), block, scan.block_count);
    // Blocks added after the scan began hold nothing that the snapshot sees.  But under SERIALIZABLE every
    // row that the index leads to must be looked at.
    if (!IsolationIsSerializable() && block >= scan.block_count) return false;

    if (!scan.page.valid() || scan.block != block) {
        scan.page.release();
        set_block(scan, block);
        const int64 reads_before = pgBufferUsage.shared_blks_read;
        scan.page = buffer::read_page(scan.rel(), MAIN_FORKNUM, block);
        if (scan.bitmap_ahead != nullptr && pgBufferUsage.shared_blks_read != reads_before)
            scan.bitmap_ahead->after_miss(scan.rel(), block, scan.block_count);
    }
    heap::prune_on_access(scan.rel(), scan.page);

    scan.page.latch_share();
    list_rows(scan, wanted);
    scan.page.unlatch();
    return scan.row_count > 0;
}

}  // namespace glassheap::scan

extern "C" bool gh_bitmap_next_row(TableScanDesc sscan, glassheap::pg::BitmapPage *, TupleTableSlot *slot) {
    using namespace glassheap;
    using namespace glassheap::scan;
    RowScan &scan = row_scan(sscan);
    if (scan.cursor >= scan.row_count) return false;
    pgstat_count_heap_fetch(scan.rel());
    store_in_place(slot, row_at(scan, scan.rows[scan.cursor++]));
    return true;
}
