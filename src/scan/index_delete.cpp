// scan/index_delete.cpp — which entries of an index page lead to nothing but dead rows?
//
// Why:    an index AM about to split a page asks first.  In a simple call every TID it names is looked up;
//         in a bottom-up call only the few table blocks that promise most, and only as long as each one
//         brings something (the index page is locked exclusively all the while).
// Invariants: scan.D1 TIDs are visited block by block, one pin and one share latch per block.
//         scan.D2 the number of TIDs left in `op` covers every deletable one, and is 0 when there is none.
//         scan.D3 bottom-up: at most kBlocksMax blocks; the order of blocks is most promising first, the size
//            of groups in powers of two so that equal groups fall back to block order.
// Locking: share latches on table pages, under the index page's lock.
// Errors: ERRCODE_INDEX_CORRUPTED for TIDs that no index entry may have.
// See:    PG: access/heap/heapam.c (facts), access/tableam.h (contract), access/nbtree/README
// SPDX-License-Identifier: PostgreSQL
#include "base/containers.hpp"
#include "heap/fetch.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "scan/scans.hpp"

namespace glassheap::scan {

namespace {

constexpr std::size_t kBlocksMax = 6;  // blocks visited by a bottom-up call
constexpr int kNeighbourBlocks = 3;    // blocks this near each other count as contiguous
constexpr int kPromisingMin = 4;       // fewer promising TIDs than this are noise

BlockNo block_of(const TM_IndexDelete &entry) noexcept {
    return ItemPointerGetBlockNumber(&entry.tid);
}

// ---- the order of visits

std::uint64_t order_of(const TM_IndexDelete &entry) noexcept {
    return std::uint64_t{block_of(entry)} << 16 | ItemPointerGetOffsetNumberNoCheck(&entry.tid);
}

// Shell sort: entries mostly come in order, runs are short, and qsort's calls would show up in profiles.
void sort_by_tid(TM_IndexDelete *entries, int count) noexcept {
    static_assert(sizeof(TM_IndexDelete) <= 8);
    constexpr int kGaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (const int gap : kGaps) {
        for (int i = gap; i < count; ++i) {
            const TM_IndexDelete moving = entries[i];
            const std::uint64_t order = order_of(moving);
            int hole = i;
            while (hole >= gap && order_of(entries[hole - gap]) > order) {
                entries[hole] = entries[hole - gap];
                hole -= gap;
            }
            entries[hole] = moving;
        }
    }
}

struct BlockGroup {  // the TIDs of one table block
    std::int16_t promising;
    std::int16_t count;
    std::int16_t first;
};

Vector<BlockGroup> group_by_block(const TM_IndexDeleteOp &op) {
    Vector<BlockGroup> groups;
    groups.reserve(static_cast<std::size_t>(op.ndeltids));
    for (int i = 0; i < op.ndeltids; ++i) {
        const TM_IndexDelete &entry = op.deltids[i];
        if (i == 0 || block_of(entry) != block_of(op.deltids[i - 1]))
            groups.push_back({0, 0, static_cast<std::int16_t>(i)});
        BlockGroup &group = groups.back();
        ++group.count;
        if (op.status[entry.id].promising) ++group.promising;
    }
    for (BlockGroup &group : groups) {
        const auto promising = static_cast<uint32>(std::max<int>(group.promising, kPromisingMin));
        group.promising = static_cast<std::int16_t>(::pg_nextpower2_32(promising));
    }
    return groups;
}

bool promises_more(const BlockGroup &a, const BlockGroup &b) noexcept {
    if (a.promising != b.promising) return a.promising > b.promising;
    const uint32 size_a = ::pg_nextpower2_32(static_cast<uint32>(a.count));
    const uint32 size_b = ::pg_nextpower2_32(static_cast<uint32>(b.count));
    if (size_a != size_b) return size_a > size_b;
    return a.first < b.first;  // block order
}

// How many of the first blocks in line lie close together: those are cheap to visit one after the other.
int count_favorable(std::span<const BlockGroup> groups, const TM_IndexDelete *entries) noexcept {
    std::size_t favorable = 1;
    while (favorable < groups.size()) {
        const auto before = static_cast<std::int64_t>(block_of(entries[groups[favorable - 1].first]));
        const auto here = static_cast<std::int64_t>(block_of(entries[groups[favorable].first]));
        if (here < before - kNeighbourBlocks || here > before + kNeighbourBlocks) break;
        ++favorable;
    }
    return static_cast<int>(favorable);
}

// Bottom-up: keeps the TIDs of the most promising blocks, most promising first.  Returns the number of
// favorable blocks.
int keep_promising_blocks(TM_IndexDeleteOp *op) {
    Vector<BlockGroup> groups = group_by_block(*op);
    const std::span<BlockGroup> best = span_of(groups).first(std::min(groups.size(), kBlocksMax));
    std::partial_sort(best.data(), best.data() + best.size(), groups.data() + groups.size(), promises_more);
    const int favorable = count_favorable(best, op->deltids);

    Vector<TM_IndexDelete> kept;
    kept.reserve(static_cast<std::size_t>(op->ndeltids));
    for (const BlockGroup &group : best)
        kept.insert(kept.end(), op->deltids + group.first, op->deltids + group.first + group.count);
    std::copy(kept.begin(), kept.end(), op->deltids);
    op->ndeltids = static_cast<int>(kept.size());
    return favorable;
}

// ---- announcing blocks ahead of the visit

struct Announcer {
    Relation rel;
    const TM_IndexDeleteOp *op;
    int next;

    void announce(int blocks) {
        for (; next < op->ndeltids && blocks > 0; ++next) {
            if (next > 0 && block_of(op->deltids[next]) == block_of(op->deltids[next - 1])) continue;
            buffer::prefetch(rel, MAIN_FORKNUM, block_of(op->deltids[next]), 1);
            --blocks;
        }
    }
};

// ---- one TID

void complain(const TM_IndexDeleteOp &op, const TM_IndexDelete &entry, const char *what) {
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg_internal("index \"%s\" is corrupt: heap tid (%u,%u) in block %u at offset %u %s",
                                    RelationGetRelationName(op.irel), block_of(entry),
                                    ItemPointerGetOffsetNumber(&entry.tid), op.iblknum,
                                    op.status[entry.id].idxoffnum, what)));
}

// The index page is locked, so vacuum cannot be half-way through it: its TIDs must lead to roots.
void check_entry(const TM_IndexDeleteOp &op, const TM_IndexDelete &entry, page::PageView view) {
    const SlotNo row = ItemPointerGetOffsetNumber(&entry.tid);
    if (row < kFirstSlot || row > view.max_slot())
        complain(op, entry, "points outside the line pointers of its heap page");
    const page::LinePointer line = view.line(row);
    if (!line.is_used()) complain(op, entry, "points to an unused line pointer");
    if (line.has_storage() && (view.tuple(row).infomask2 & page::kHeapOnly) != 0)
        complain(op, entry, "points to a heap-only tuple");
}

// Moves *horizon past what the chain rooted at `row` removes.  Dead line pointers need no look: the prune
// that made them has logged its own horizon.
void advance_horizon(const buffer::PinnedPage &page, SlotNo row, Xid *horizon) {
    const page::PageView view = page.view();
    Xid expected_xmin = kInvalidXid;
    if (view.line(row).is_redirect()) row = view.line(row).redirect_to();
    // A damaged chain may be a circle: none is longer than the page.
    for (int left = view.max_slot(); left > 0 && heap::is_normal_slot(view, row); --left) {
        HeapTupleHeader header = heap::header_at(page, row);
        if (TransactionIdIsValid(expected_xmin) &&
            !TransactionIdEquals(HeapTupleHeaderGetXmin(header), expected_xmin))
            return;
        mvcc::advance_latest_removed_xid(header, horizon);
        if (!HeapTupleHeaderIsHotUpdated(header)) return;
        row = ItemPointerGetOffsetNumber(&header->t_ctid);
        expected_xmin = mvcc::update_xid(header);
    }
}

// ---- the walk

struct Walk {
    Relation rel;
    TM_IndexDeleteOp *op;
    SnapshotData *non_vacuumable;
    buffer::PinnedPage page;
    Announcer announcer;
    Xid horizon = kInvalidXid;
    int favorable = 0;  // bottom-up: blocks still to be visited at full patience
    int target_bytes = 0;
    int freed_bytes = 0;
    int freed_before_block = 0;
    bool target_met = false;

    bool worth_another_block() noexcept;
    void visit(BlockNo block);
    bool judge(const TM_IndexDelete &entry);
};

// Bottom-up only.  Patience decays with every block that is not near the one before it.
bool Walk::worth_another_block() noexcept {
    if (target_met) return false;
    const bool first = !page.valid();
    if (!first && freed_bytes == freed_before_block) return false;  // the last block brought nothing
    freed_before_block = freed_bytes;
    if (favorable > 0)
        --favorable;
    else
        target_bytes /= 2;
    return true;
}

void Walk::visit(BlockNo block) {
    if (page.valid()) {
        page.unlatch();
        page.release();
    }
    page = buffer::read_page(rel, MAIN_FORKNUM, block);
    announcer.announce(1);
    page.latch_share();
}

// Is the entry deletable?  Marks it and accounts for it if so.
bool Walk::judge(const TM_IndexDelete &entry) {
    check_entry(*op, entry, page.view());
    TM_IndexStatus &status = op->status[entry.id];
    if (!status.knowndeletable) {
        ItemPointerData tid = entry.tid;
        HeapTupleData tuple;
        if (heap::hot_search(rel, &tid, page, non_vacuumable, &tuple, nullptr, true)) return false;
        status.knowndeletable = true;
        if (op->bottomup) {
            freed_bytes += status.freespace;
            if (freed_bytes >= target_bytes) target_met = true;
        }
    }
    advance_horizon(page, ItemPointerGetOffsetNumber(&entry.tid), &horizon);
    return true;
}

int announce_distance(Relation rel) {
    // Looking the tablespace up reads catalogs: not while an index page of that very catalog is locked.
    return IsCatalogRelation(rel) ? maintenance_io_concurrency
                                  : ::get_tablespace_maintenance_io_concurrency(rel->rd_rel->reltablespace);
}

}  // namespace

Xid index_delete_tuples(Relation rel, TM_IndexDeleteOp *op) {
    GH_ASSERT(op->ndeltids > 0);
    SnapshotData non_vacuumable;
    InitNonVacuumableSnapshot(non_vacuumable, ::GlobalVisTestFor(rel));
    sort_by_tid(op->deltids, op->ndeltids);

    Walk walk{.rel = rel, .op = op, .non_vacuumable = &non_vacuumable, .page = {}, .announcer = {rel, op, 0}};
    walk.target_bytes = op->bottomupfreespace;
    int distance = announce_distance(rel);
    if (op->bottomup) {
        walk.favorable = keep_promising_blocks(op);
        distance = std::min(distance, walk.favorable);
    }
    walk.announcer.announce(distance);

    int kept = 0;
    for (int i = 0; i < op->ndeltids; ++i) {
        const TM_IndexDelete &entry = op->deltids[i];
        if (!walk.page.valid() || walk.page.block() != block_of(entry)) {
            if (op->bottomup && !walk.worth_another_block()) break;
            walk.visit(block_of(entry));
        }
        if (walk.judge(entry)) kept = i + 1;
    }
    walk.page.unlatch();
    walk.page.release();
    op->ndeltids = kept;
    return walk.horizon;
}

}  // namespace glassheap::scan
