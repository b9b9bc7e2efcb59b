// scan/scan_desc.hpp — the state of one scan of a table, shared by the kinds of scan.
//
// Why:    design.D8: slots point into the page, so the scan holds the pin; sequential, bitmap, sample, TID
//         range and ANALYZE scans differ in how they choose blocks and rows, not in what they hold.
// Invariants: scan.S1 `page` is pinned while the row last handed out may be read: until the next fetch,
//            rescan or end (slot.R2, slot.R7); no latch outlives a call, but ANALYZE's share latch on its
//            block.
//         scan.S2 in page mode, and when it sees all versions, rows[0 .. row_count) are the visible line
//            pointers of `page`, ascending; `rows` is either row_buffer or the shared list 1, 2, 3 ... of a
//            page without gaps.
//         scan.S3 quick_count is row_count while next() may serve rows without further checks (rows are
//            listed, no scan keys, no old-snapshot check), else 0.  lean_count is quick_count once the second
//            row of the page has shown that no columns are to be taken with each (scan.E2), until then and
//            else 0.
//            Its fields are next to each other, as next() touches nothing else of the scan per row.
//         scan.S4 `cursor` indexes rows where they are listed; `row` is the line pointer last handed out in
//            row mode.
//         scan.S5 C code that takes the scan for one of heap's (guard/) finds a pinned buffer where heap has
//            that of its page, and the block's number where heap has it.  The buffer is not ours: the rows it
//            gets (next_tuple) are copies.  Invalid in all other scans.
//         scan.S6 `mark` lies where heap's descriptor has the upper half of a pointer, which it always sets:
//            no address looks like it.
// Locking: none held on return.
// Errors: the scan descriptor is abandonable: scan_end is not called after an error; the pin belongs to the
//         resource owner of the fetch, everything else to the memory context.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "heap/row_access.hpp"
#include "scan/analyze_count.hpp"
#include "scan/bitmap_ahead.hpp"
#include "scan/eager.hpp"
#include "scan/look_ahead.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

inline constexpr std::uint32_t kRowScanMark = 0x9E3779B9;

struct RowScan {
    TableScanDescData base;  // must be first: core knows nothing else

    // ---- position
    int cursor;
    int lean_count;  // scan.S3
    const SlotNo *rows;
    BlockNo block;            // the one `page` holds; kInvalidBlock before the first and after the last
    Buffer stand_in;          // scan.S5
    std::uint32_t tid_block;  // the block as the first four bytes of an ItemPointerData
    std::uint32_t mark;       // scan.S6
    buffer::PinnedPage page;
    TupleWords words;  // of the rows of `block`
    int quick_count;
    EagerColumns eager;
    SlotNo row;
    bool started;
    int row_count;
    BitmapAhead *bitmap_ahead;  // bitmap scans: what is looked at ahead; nullptr: core announces pages
    BlockNo read_ahead_until;   // blocks before this one were announced to the operating system

    // ---- set at begin and rescan
    BlockNo block_count;  // of the table when the scan began
    BlockNo start_block;  // where a forward scan starts (synchronized scans: somewhere)
    BlockNo blocks_left;  // limit of a restricted scan, counted down; kInvalidBlock: all
    buffer::AccessRing *ring;
    ParallelBlockTableScanWorkerData *worker;  // parallel scans: this process's share

    SlotNo row_buffer[page::kMaxTuplesPerPage];
    HeapTupleData tuple;  // of next_tuple(): the row handed out last, a copy in
    char *tuple_memory;
    AnalyzedPage analyzed;  // by ANALYZE

    bool in_page_mode() const noexcept { return (base.rs_flags & SO_ALLOW_PAGEMODE) != 0; }
    bool sees_all_versions() const noexcept {
        return base.rs_snapshot != nullptr && base.rs_snapshot->snapshot_type == SNAPSHOT_ANY;
    }
    bool lists_rows() const noexcept { return in_page_mode() || sees_all_versions(); }
    Relation rel() const noexcept { return base.rs_rd; }
};
static_assert(std::is_standard_layout_v<RowScan> && offsetof(RowScan, base) == 0);
static_assert(offsetof(RowScan, stand_in) == offsetof(HeapScanDescData, rs_cbuf));
static_assert(offsetof(RowScan, block) == offsetof(HeapScanDescData, rs_cblock));
static_assert(offsetof(RowScan, mark) == offsetof(HeapScanDescData, rs_strategy) + sizeof(std::uint32_t));

inline RowScan &row_scan(TableScanDesc scan) noexcept {
    return *reinterpret_cast<RowScan *>(scan);
}

// Pins `block` instead of the page held now and lists the visible rows, if rows are listed; in page mode
// prunes first (page_rows.cpp).
void load_block(RowScan &scan, BlockNo block);
// The block of a scan changes here only.
void set_block(RowScan &scan, BlockNo block) noexcept;
// scan.S5: as heap unpins its page.
inline void release_stand_in(RowScan &scan) {
    if (BufferIsValid(scan.stand_in)) ::ReleaseBuffer(scan.stand_in);
    scan.stand_in = InvalidBuffer;
}
// Drops the page: nothing is current any more.
void leave_block(RowScan &scan) noexcept;
// The block after the present one, round the end of the table; told to others who read it too.
inline BlockNo following_block(const RowScan &scan) {
    const BlockNo block = scan.block + 1 >= scan.block_count ? 0 : scan.block + 1;
    // Also at the end, so that the hint is back at the start for the next query.
    if ((scan.base.rs_flags & SO_ALLOW_SYNC) != 0) ::ss_report_location(scan.rel(), block);
    return block;
}
// Restricts a scan that has not started to `count` blocks from `first` (kInvalidBlock: all).
void set_limits(RowScan &scan, BlockNo first, BlockNo count) noexcept;
// Blocks gone through so far, for progress reports (synchronized and parallel scans start in the middle).
BlockNo blocks_done(const RowScan &scan) noexcept;
BlockNo blocks_total(const RowScan &scan) noexcept;

// The tuple at a line pointer known to be normal on the pinned page.
inline HeapTupleData row_at(const RowScan &scan, SlotNo row) noexcept {
    return heap::tuple_at(scan.rel(), scan.page, row);
}

// One fetch state of an index scan: the page of the row last fetched stays pinned (slot.R2).
struct IndexFetch {
    IndexFetchTableData base;  // must be first
    buffer::PinnedPage page;
    LookAhead ahead;
};
static_assert(std::is_standard_layout_v<IndexFetch> && offsetof(IndexFetch, base) == 0);

inline IndexFetch &index_fetch(IndexFetchTableData *fetch) noexcept {
    return *reinterpret_cast<IndexFetch *>(fetch);
}

}  // namespace glassheap::scan
