// scan/seq.cpp — sequential and TID range scans: forward, backward, parallel, synchronized.
//
// Why:    the order of rows must be heap's, so the rules of where a scan starts, turns round and ends are
//         heap's too, including what is strange about them: a scan that fell off its end starts anew.
// Invariants: scan.Q1 row mode (snapshots that are neither MVCC nor SnapshotAny) judges row by row under the
//            share latch, because what such a snapshot sees may change while the page is pinned; page mode
//            judges once.  SnapshotAny sees every row, and under the pin they stay: listed once, too.
//         scan.Q2 `started` is false before the first block and after the last one.
// Locking: none on return; see scan_desc.hpp.
// Errors: may longjmp.
// See:    PG: access/heap/heapam.c (facts), access/table/tableam.c, access/common/syncscan.c
// SPDX-License-Identifier: PostgreSQL
#include "buffer/setup.hpp"
#include "buffer/stats.hpp"
#include "debug/stop_points.hpp"
#include "heap/insert_run.hpp"
#include "heap/prune.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_old_snapshot.hpp"
#include "pg/pg_scan.hpp"
#include "pg/pg_usage.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

namespace {

ParallelBlockTableScanDesc shared_position(const RowScan &scan) noexcept {
    return reinterpret_cast<ParallelBlockTableScanDesc>(scan.base.rs_parallel);
}

// ---- begin and rescan

// Large tables: recycle few frames, and join others that read the same table.  Large for a ring means
// compared with our pool; for joining others, what core's parallel scans take for large.
void choose_ring_and_start(RowScan &scan, bool keep_start) {
    const bool shared = !RelationUsesLocalBuffers(scan.rel());
    const bool wants_ring = shared && (scan.base.rs_flags & SO_ALLOW_STRAT) != 0 &&
                            scan.block_count > static_cast<BlockNo>(buffer::frame_count() / 4);
    bool synchronized = shared && (scan.base.rs_flags & SO_ALLOW_SYNC) != 0 && synchronize_seqscans &&
                        scan.block_count > static_cast<BlockNo>(NBuffers / 4);

    if (wants_ring && scan.ring == nullptr) scan.ring = buffer::make_ring(buffer::RingKind::bulk_read);
    if (!wants_ring && scan.ring != nullptr) {
        buffer::free_ring(scan.ring);
        scan.ring = nullptr;
    }

    if (scan.base.rs_parallel != nullptr) {
        synchronized = scan.base.rs_parallel->phs_syncscan;
    } else if (!keep_start) {
        // A rescan keeps its start, so that rewinding a cursor brings the same rows in the same order.
        scan.start_block = synchronized ? ::ss_get_location(scan.rel(), scan.block_count) : 0;
    }
    if (synchronized)
        scan.base.rs_flags |= SO_ALLOW_SYNC;
    else
        scan.base.rs_flags &= ~static_cast<uint32>(SO_ALLOW_SYNC);
}

void prepare(RowScan &scan, ScanKeyData *key, bool keep_start) {
    // Rows added later are invisible to an MVCC snapshot; others rely on a lock of their caller's.
    scan.block_count = scan.base.rs_parallel != nullptr ? shared_position(scan)->phs_nblocks
                                                        : RelationGetNumberOfBlocks(scan.rel());
    choose_ring_and_start(scan, keep_start);
    scan.blocks_left = kInvalidBlock;
    scan.started = false;
    scan.read_ahead_until = 0;
    leave_block(scan);
    if (scan.bitmap_ahead != nullptr) scan.bitmap_ahead->rewind();
    if (key != nullptr && scan.base.rs_nkeys > 0)
        std::memcpy(scan.base.rs_key, key,
                    static_cast<std::size_t>(scan.base.rs_nkeys) * sizeof(ScanKeyData));
    // Bitmap scans are counted by their index scans, sample scans by their fetches.
    if ((scan.base.rs_flags & SO_TYPE_SEQSCAN) != 0) pgstat_count_heap_scan(scan.rel());
}

// ---- from block to block

bool first_block(RowScan &scan, bool forward, BlockNo *block) {
    if (scan.block_count == 0 || scan.blocks_left == 0) return false;
    if (forward) {
        if (scan.base.rs_parallel == nullptr) {
            *block = scan.start_block;
            return true;
        }
        ParallelBlockTableScanDesc shared = shared_position(scan);
        ::table_block_parallelscan_startblock_init(scan.rel(), scan.worker, shared);
        *block = ::table_block_parallelscan_nextpage(scan.rel(), scan.worker, shared);
        return *block != kInvalidBlock;  // the others may have taken everything
    }
    GH_ASSERT(scan.base.rs_parallel == nullptr);
    // Nobody else is likely to go backwards: do not lead forward scanners astray.
    scan.base.rs_flags &= ~static_cast<uint32>(SO_ALLOW_SYNC);
    if (scan.blocks_left != kInvalidBlock)
        *block = (scan.start_block + scan.blocks_left - 1) % scan.block_count;
    else
        *block = (scan.start_block > 0 ? scan.start_block : scan.block_count) - 1;
    return true;
}

bool limit_reached(RowScan &scan) noexcept {
    return scan.blocks_left != kInvalidBlock && --scan.blocks_left == 0;
}

bool next_block(RowScan &scan, bool forward, BlockNo *block) {
    if (!forward) {
        const bool finished = scan.block == scan.start_block || limit_reached(scan);
        *block = (scan.block == 0 ? scan.block_count : scan.block) - 1;
        return !finished;
    }
    if (scan.base.rs_parallel != nullptr) {
        *block = ::table_block_parallelscan_nextpage(scan.rel(), scan.worker, shared_position(scan));
        return *block != kInvalidBlock;
    }
    *block = following_block(scan);
    return *block != scan.start_block && !limit_reached(scan);
}

// Moves to the next block with its rows listed; false: the scan is over.
bool advance(RowScan &scan, bool forward) {
    BlockNo block;
    const bool more = scan.started ? next_block(scan, forward, &block) : first_block(scan, forward, &block);
    if (!more) {
        leave_block(scan);
        scan.started = false;
        return false;
    }
    load_block(scan, block);
    scan.started = true;
    return true;
}

[[gnu::noinline]] bool passes_keys(const RowScan &scan, SlotNo row) {
    HeapTupleData tuple = row_at(scan, row);
    return pg::matches_keys(&tuple, RelationGetDescr(scan.rel()), scan.base.rs_nkeys, scan.base.rs_key);
}

inline bool matches_keys(const RowScan &scan, SlotNo row) {
    return scan.base.rs_nkeys == 0 || passes_keys(scan, row);
}

void test_for_old_snapshot(const RowScan &scan) {
    if (scan.page.valid()) pg::check_snapshot_age(scan.base.rs_snapshot, scan.rel(), scan.page.data());
}

// ---- page mode, and scans that see all versions: index builds and CLUSTER judge them themselves (nothing is
// in conflict: only what an MVCC snapshot sees is)

bool step_by_page(RowScan &scan, int step) {
    const bool forward = step > 0;
    int at;
    if (scan.started) {
        test_for_old_snapshot(scan);
        at = scan.cursor + step;
    } else {
        if (!advance(scan, forward)) return false;
        at = forward ? 0 : scan.row_count - 1;
    }
    for (;;) {
        for (; at >= 0 && at < scan.row_count; at += step) {
            if (!matches_keys(scan, scan.rows[at])) continue;
            scan.cursor = at;
            scan.row = scan.rows[at];
            return true;
        }
        if (!advance(scan, forward)) return false;
        at = forward ? 0 : scan.row_count - 1;
    }
}

// ---- row mode

bool is_visible(const RowScan &scan, SlotNo row) {
    HeapTupleData tuple = row_at(scan, row);
    const bool visible = mvcc::satisfies(&tuple, scan.base.rs_snapshot, &scan.page);
    mvcc::check_serializable_read(visible, scan.rel(), &tuple, &scan.page, scan.base.rs_snapshot);
    return visible;
}

// Looks from line pointer `row` on, in steps, for a row to hand out; the page is latched share meanwhile.
bool find_in_page(RowScan &scan, int row, int step) {
    const page::PageView view = scan.page.view();
    scan.page.latch_share();
    test_for_old_snapshot(scan);
    // Vacuum may have cut line pointers off since the last row.
    const int last = view.max_slot();
    if (step < 0) row = std::min(row, last);
    for (; row >= 1 && row <= last; row += step) {
        const auto candidate = static_cast<SlotNo>(row);
        if (!view.line(candidate).is_normal()) continue;
        if (is_visible(scan, candidate) && matches_keys(scan, candidate)) {
            scan.page.unlatch();
            scan.row = candidate;
            return true;
        }
    }
    scan.page.unlatch();
    return false;
}

bool step_by_row(RowScan &scan, int step) {
    constexpr int kFromEnd = page::kPageSize;  // beyond any line pointer: find_in_page clamps it
    const bool forward = step > 0;
    int row = scan.row + step;
    if (!scan.started) {
        if (!advance(scan, forward)) return false;
        row = forward ? 1 : kFromEnd;
    }
    for (;;) {
        if (find_in_page(scan, row, step)) return true;
        if (!advance(scan, forward)) return false;
        row = forward ? 1 : kFromEnd;
    }
}

// Moves the scan; false at its end.  No movement: the row handed out last, again.
bool step(RowScan &scan, ScanDirection direction) {
    if (ScanDirectionIsNoMovement(direction)) {
        if (!scan.started) return false;
        test_for_old_snapshot(scan);
        if (scan.lists_rows()) scan.row = scan.rows[scan.cursor];
        return true;
    }
    const int by = ScanDirectionIsForward(direction) ? 1 : -1;
    return scan.lists_rows() ? step_by_page(scan, by) : step_by_row(scan, by);
}

inline void hand_out(const RowScan &scan, SlotNo row, TupleTableSlot *slot) {
    pgstat_count_heap_getnext(scan.rel());
    store_in_place(slot, row_at(scan, row));
}

[[gnu::noinline]] bool next_with_checks(RowScan &scan, ScanDirection direction, TupleTableSlot *slot) {
    if (!step(scan, direction)) {
        ::ExecClearTuple(slot);
        return false;
    }
    hand_out(scan, scan.row, slot);
    return true;
}

// The row after the cursor, at `at`; scan.S3.
inline RowInPage hand_out_next(RowScan &scan, unsigned at, PgStat_TableStatus *counts,
                               TupleTableSlot *slot) noexcept {
    // The page's address is read once, before anything is written: the compiler must assume that it changes.
    char *page = scan.page.data();
    const std::size_t row = scan.rows[at];
    page::LinePointer line;
    std::memcpy(&line, page + page::kHeaderSize - page::kLinePointerSize + row * page::kLinePointerSize,
                sizeof line);
    const RowInPage in_page{.words = scan.words,
                            .tid_block = scan.tid_block,
                            .row = static_cast<SlotNo>(row),
                            .length = line.length(),
                            .bytes = page + line.offset()};
    scan.cursor = static_cast<int>(at);
    pg::count_row_returned(counts);
    store_lean(slot, in_page);
    return in_page;
}

// scan.E2: before the second row of a page, when the first has been read.
[[gnu::noinline]] void choose_lean_or_eager(RowScan &scan, TupleTableSlot *slot) noexcept {
    const auto *heap_slot = reinterpret_cast<HeapTupleTableSlot *>(slot);
    scan.eager.slot = nullptr;
    // Nothing is known if the row has been copied or moved on.
    if (heap_slot->tuple == &heap_slot->tupdata) choose_columns(&scan.eager, slot);
    if (scan.eager.slot == nullptr) scan.lean_count = scan.quick_count;
}

// Precondition: the relation's rows are counted, and the slot owns no memory.
[[gnu::noinline]] bool next_not_lean(RowScan &scan, ScanDirection direction, TupleTableSlot *slot) {
    PgStat_TableStatus *counts = scan.rel()->pgstat_info;
    const auto at = static_cast<unsigned>(scan.cursor + 1);
    if (!ScanDirectionIsForward(direction) || at >= static_cast<unsigned>(scan.quick_count)) [[unlikely]]
        return next_with_checks(scan, direction, slot);
    if (at == 1) [[unlikely]]
        choose_lean_or_eager(scan, slot);
    const RowInPage row = hand_out_next(scan, at, counts, slot);
    if (slot == scan.eager.slot) [[likely]]
        take_columns(scan.eager, slot, row.bytes, row.length);
    return true;
}

}  // namespace

TableScanDesc begin(Relation rel, Snapshot snapshot, int nkeys, ScanKeyData *key, ParallelTableScanDesc pscan,
                    uint32 flags) {
    buffer::require_ready();
    heap::finish_runs();
    // The relcache entry must outlive the scan's pointer to it.
    ::RelationIncrementReferenceCount(rel);

    auto *scan = ::new (::palloc0(sizeof(RowScan))) RowScan{};
    scan->base.rs_rd = rel;
    scan->mark = kRowScanMark;
    scan->eager.fewest = MaxTupleAttributeNumber;
    scan->base.rs_snapshot = snapshot;
    scan->base.rs_nkeys = nkeys;
    scan->base.rs_flags = flags;
    scan->base.rs_parallel = pscan;
    if (snapshot == nullptr || !IsMVCCSnapshot(snapshot))
        scan->base.rs_flags &= ~static_cast<uint32>(SO_ALLOW_PAGEMODE);
    // Nothing finer would do: a row inserted later conflicts with locks of the whole table only.
    if ((flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN | SO_TYPE_TIDRANGESCAN)) != 0)
        ::PredicateLockRelation(rel, snapshot);

    if (pscan != nullptr) scan->worker = pg::make_zeroed<ParallelBlockTableScanWorkerData>();
    if (nkeys > 0)
        scan->base.rs_key =
            static_cast<ScanKeyData *>(::palloc(static_cast<Size>(nkeys) * sizeof(ScanKeyData)));
    prepare(*scan, key, false);
    return &scan->base;
}

void rescan(TableScanDesc sscan, ScanKeyData *key, bool set_params, bool allow_strat, bool allow_sync,
            bool allow_pagemode) {
    heap::finish_runs();
    RowScan &scan = row_scan(sscan);
    const auto allow = [&scan](uint32 flag, bool on) {
        scan.base.rs_flags = on ? scan.base.rs_flags | flag : scan.base.rs_flags & ~flag;
    };
    if (set_params) {
        Snapshot snapshot = scan.base.rs_snapshot;
        allow(SO_ALLOW_STRAT, allow_strat);
        allow(SO_ALLOW_SYNC, allow_sync);
        allow(SO_ALLOW_PAGEMODE, allow_pagemode && snapshot != nullptr && IsMVCCSnapshot(snapshot));
    }
    scan.page.release();
    release_stand_in(scan);
    prepare(scan, key, true);
}

void end(TableScanDesc sscan) {
    RowScan &scan = row_scan(sscan);
    scan.page.release();
    release_stand_in(scan);
    ::RelationDecrementReferenceCount(scan.rel());
    if (scan.base.rs_key != nullptr) ::pfree(scan.base.rs_key);
    buffer::free_ring(scan.ring);
    if (scan.worker != nullptr) ::pfree(scan.worker);
    if (scan.tuple_memory != nullptr) ::pfree(scan.tuple_memory);
    if ((scan.base.rs_flags & SO_TEMP_SNAPSHOT) != 0) ::UnregisterSnapshot(scan.base.rs_snapshot);
    ::pfree(&scan);
}

HeapTuple next_tuple(TableScanDesc sscan, ScanDirection direction) {
    RowScan &scan = row_scan(sscan);
    if (!step(scan, direction)) return nullptr;
    pgstat_count_heap_getnext(scan.rel());
    if (scan.tuple_memory == nullptr)
        scan.tuple_memory =
            static_cast<char *>(::MemoryContextAlloc(::GetMemoryChunkContext(&scan), page::kMaxTupleSize));
    const HeapTupleData in_page = row_at(scan, scan.row);
    heap::require_within_page(scan.rel(), in_page, scan.page);
    scan.tuple = in_page;
    scan.tuple.t_data = reinterpret_cast<HeapTupleHeader>(scan.tuple_memory);
    std::memcpy(scan.tuple_memory, in_page.t_data, in_page.t_len);
    return &scan.tuple;
}

void set_limits(RowScan &scan, BlockNo first, BlockNo count) noexcept {
    GH_ASSERT(!scan.started);
    GH_ASSERT((scan.base.rs_flags & SO_ALLOW_SYNC) == 0);
    GH_ASSERT(first == 0 || first < scan.block_count);
    scan.start_block = first;
    scan.blocks_left = count;
}

void set_tid_range(TableScanDesc sscan, ItemPointer mintid, ItemPointer maxtid) {
    RowScan &scan = row_scan(sscan);
    if (scan.block_count == 0) return;  // nothing to scan: the range does not matter

    ItemPointerData lowest;
    ItemPointerData highest;
    ItemPointerSet(&lowest, 0, kFirstSlot);
    ItemPointerSet(&highest, scan.block_count - 1, MaxOffsetNumber);
    if (::ItemPointerCompare(maxtid, &highest) < 0) highest = *maxtid;
    if (::ItemPointerCompare(mintid, &lowest) > 0) lowest = *mintid;
    if (::ItemPointerCompare(&highest, &lowest) < 0) {
        set_limits(scan, 0, 0);
        return;
    }
    const BlockNo first = ItemPointerGetBlockNumberNoCheck(&lowest);
    set_limits(scan, first, ItemPointerGetBlockNumberNoCheck(&highest) - first + 1);
    const pg::TidRange range = pg::tid_range(sscan);
    range.lowest = lowest;
    range.highest = highest;
}

bool next_tid_range(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot) {
    RowScan &scan = row_scan(sscan);
    const pg::TidRange range = pg::tid_range(sscan);
    while (step(scan, direction)) {
        ItemPointerData tid;
        ItemPointerSet(&tid, scan.block, scan.row);
        const bool below = ::ItemPointerCompare(&tid, &range.lowest) < 0;
        const bool above = !below && ::ItemPointerCompare(&tid, &range.highest) > 0;
        if (!below && !above) {
            hand_out(scan, scan.row, slot);
            return true;
        }
        // Rows come in TID order: once outside on the far side, always outside.
        if (below && ScanDirectionIsBackward(direction)) break;
        if (above && ScanDirectionIsForward(direction)) break;
    }
    ::ExecClearTuple(slot);
    return false;
}

BlockNo blocks_total(const RowScan &scan) noexcept {
    return scan.base.rs_parallel != nullptr ? shared_position(scan)->phs_nblocks : scan.block_count;
}

BlockNo blocks_done(const RowScan &scan) noexcept {
    const BlockNo start =
        scan.base.rs_parallel != nullptr ? shared_position(scan)->phs_startblock : scan.start_block;
    if (scan.block > start) return scan.block - start;
    return blocks_total(scan) - start + scan.block;
}

}  // namespace glassheap::scan

// Anything unusual leaves by a tail call, so that the usual row needs no stack frame.
extern "C" bool gh_scan_next_row(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot) {
    using namespace glassheap;
    using namespace glassheap::scan;
    RowScan &scan = row_scan(sscan);
    PgStat_TableStatus *counts = sscan->rs_rd->pgstat_info;
    // Forward, backward, or the same row again: the next line pointer as long as it is on this page.
    static_assert(ForwardScanDirection == 1 && BackwardScanDirection == -1 && NoMovementScanDirection == 0);
    const auto at = static_cast<unsigned>(scan.cursor + direction);
    if (TTS_SHOULDFREE(slot) || counts == nullptr) [[unlikely]]
        return next_with_checks(scan, direction, slot);
    if (at >= static_cast<unsigned>(scan.lean_count)) return next_not_lean(scan, direction, slot);
    hand_out_next(scan, at, counts, slot);
    return true;
}
