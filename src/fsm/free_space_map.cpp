// fsm/free_space_map.cpp — the map as a fork of pages in our pool.
//
// Why:    fsm_page knows one page, fsm_address the tree; here they meet latches, files and other backends.
// Invariants: fsm.F1 the map is a hint.  So no page of it is ever logged for its own sake, a damaged one is
//            read as zeroes, and a tree that contradicts itself is repaired by whoever notices.
//         fsm.F2 a search that was sent to a page in vain corrects the parent before it starts again, so that
//            it ends; kRestartsMax bounds it all the same.
// Locking: one latch of the map at a time.  The extension lock is taken to make the fork longer; with a
//         latch of somebody else's held (interrupts are held off then) only if it can be had at once.
// Errors: may longjmp (I/O).  Damage is not an error here.
// WAL:    none; see wal/ for the hint images that mark_dirty_hint may write.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"

#include "buffer/extend.hpp"
#include "fsm/fsm_page.hpp"
#include "pg/pg_locks.hpp"
#include "pg/pg_smgr.hpp"

namespace glassheap::fsm {
namespace {

using buffer::ExclusiveLatch;
using buffer::PinnedPage;

constexpr int kRestartsMax = 10000;

static_assert(kMaxRequest == MaxHeapTupleSize);

BlockNo fork_blocks(Relation rel, BlockNo wanted) {
    SMgrRelation smgr = ::RelationGetSmgr(rel);
    BlockNo &cached = pg::cached_blocks(smgr, FSM_FORKNUM);
    // Truncation invalidates the cached size, extension by others does not.
    if (cached == kInvalidBlock || wanted >= cached) {
        cached = kInvalidBlock;
        if (::smgrexists(smgr, FSM_FORKNUM))
            ::smgrnblocks(smgr, FSM_FORKNUM);
        else
            cached = 0;
    }
    return cached;
}

// Makes the fork at least `blocks` long; false when the lock was busy and could not be waited for.  The frame
// comes first (pool.X5); if it turns out not to be needed, the next who wants one finds it free.
bool make_fork_long_enough(Relation rel, BlockNo blocks) {
    buffer::NewFrames frames(rel, 1);
    if (InterruptHoldoffCount == 0)
        pg::lock_extension(rel);
    else if (!pg::try_lock_extension(rel))
        return false;
    SMgrRelation smgr = ::RelationGetSmgr(rel);
    if (!::smgrexists(smgr, FSM_FORKNUM)) ::smgrcreate(smgr, FSM_FORKNUM, false);
    pg::cached_blocks(smgr, FSM_FORKNUM) = kInvalidBlock;
    const BlockNo present = ::smgrnblocks(smgr, FSM_FORKNUM);
    if (present < blocks) {
        const PinnedPage first = buffer::extend(rel, FSM_FORKNUM, blocks - present, &frames);
        first.unlatch();
    }
    pg::unlock_extension(rel);
    return true;
}

void init_if_new(const PinnedPage &page) {
    if (!page.view().is_new()) return;
    ExclusiveLatch latch(page);
    if (page.view().is_new()) page.edit().init();
}

// Which pages of the map are looked at: `cached` reads none, and may be used under the extension lock.
enum class Reach : std::uint8_t { all, cached };

// Pins a page of the map; empty when the fork ends before it, or it is out of reach.
PinnedPage read_map(Relation rel, FsmAddress address, Reach reach = Reach::all) {
    const BlockNo block = physical_block(address);
    if (block >= fork_blocks(rel, block)) return {};
    PinnedPage page =
        reach == Reach::cached
            ? buffer::read_if_cached(buffer::fork_of(rel, FSM_FORKNUM), block)
            : buffer::read_page(rel, FSM_FORKNUM, block, nullptr, buffer::ReadMode::zero_on_error);
    if (page) init_if_new(page);
    return page;
}

PinnedPage read_or_extend_map(Relation rel, FsmAddress address) {
    PinnedPage page = read_map(rel, address);
    if (page) return page;
    if (!make_fork_long_enough(rel, physical_block(address) + 1)) return {};
    return read_map(rel, address);
}

// Looks for `least` in a latched page; repairs a torn one under the exclusive latch (which it then keeps).
bool search_latched(const PinnedPage &page, std::uint8_t least, bool advance, bool exclusive, int *slot) {
    for (;;) {
        const SearchResult result = FsmPage(page.data()).search(least, advance, slot);
        if (result != SearchResult::torn) return result == SearchResult::found;
        ereport(DEBUG1, (errmsg_internal("rebuilding inconsistent free space map page %u", page.block())));
        if (!exclusive) {
            page.unlatch();
            page.latch_exclusive();
            exclusive = true;
        }
        FsmPage(page.data()).rebuild();
        page.mark_dirty_hint();
    }
}

void set_slot(Relation rel, FsmAddress address, int slot, std::uint8_t category, Reach reach = Reach::all) {
    const PinnedPage page =
        reach == Reach::all ? read_or_extend_map(rel, address) : read_map(rel, address, reach);
    if (!page) return;
    ExclusiveLatch latch(page);
    if (FsmPage(page.data()).set(slot, category)) page.mark_dirty_hint();
}

// The map can be ahead of the table after a crash: it is not written in the order of the table's pages.
bool heap_block_exists(Relation rel, BlockNo block) {
    const BlockNo cached = pg::cached_blocks(::RelationGetSmgr(rel), MAIN_FORKNUM);
    if (BlockNumberIsValid(cached) && block < cached) return true;
    return block < RelationGetNumberOfBlocks(rel);
}

// One step of the descent.  `largest` is what the page really has when nothing was found.
bool search_page(const PinnedPage &page, FsmAddress address, std::uint8_t least, int *slot,
                 std::uint8_t *largest) {
    page.latch_share();
    const bool found = search_latched(page, least, address.is_leaf(), false, slot);
    *largest = FsmPage(page.data()).largest();
    page.unlatch();
    return found;
}

BlockNo search_tree(Relation rel, std::uint8_t least, Reach reach = Reach::all, bool *complete = nullptr) {
    FsmAddress address = kRootAddress;
    int restarts = 0;
    for (;;) {
        int slot = 0;
        std::uint8_t largest = 0;
        const PinnedPage page = read_map(rel, address, reach);
        const bool found = page && search_page(page, address, least, &slot, &largest);
        if (found && !address.is_leaf()) {
            address = child_of(address, slot);
            continue;
        }
        if (found) {
            const BlockNo block = heap_block_at(address, slot);
            if (heap_block_exists(rel, block)) return block;
            set_slot(rel, address, slot, 0, reach);
        } else {
            if (!page && reach == Reach::cached) {
                *complete = false;
                return kInvalidBlock;
            }
            if (address.is_root()) return kInvalidBlock;
            // The parent promised more than the child has (fsm.F2).
            const FsmPlace parent = parent_of(address);
            set_slot(rel, parent.page, parent.slot, largest, reach);
        }
        if (restarts++ > kRestartsMax) return kInvalidBlock;
        address = kRootAddress;
    }
}

std::uint8_t request_category(Size needed) {
    if (needed > kMaxRequest)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg_internal("invalid free space request of %zu bytes", needed)));
    return category_for_request(needed);
}

struct SlotRange {
    int first;
    int end;
};
// The slots of an upper page that cover the heap blocks [first, end).
SlotRange slots_covering(FsmAddress upper, BlockNo first, BlockNo end) {
    FsmPlace low = place_of_heap_block(first);
    FsmPlace high = place_of_heap_block(end - 1);
    while (low.page.level < upper.level) {
        low = parent_of(low.page);
        high = parent_of(high.page);
    }
    const int from = low.page.number == upper.number ? low.slot : 0;
    const int last = high.page.number == upper.number ? high.slot : kSlotsPerPage - 1;
    return {from, last + 1};
}

// A page of the map in redo: created if need be, latched exclusively, initialised.
PinnedPage redo_map_page(const pg::RelFile &file, BlockNo block, bool create) {
    SMgrRelation smgr = ::smgropen(file, pg::kNoBackend);
    const bool present = ::smgrexists(smgr, FSM_FORKNUM) && block < ::smgrnblocks(smgr, FSM_FORKNUM);
    if (!present && !create) return {};
    PinnedPage page;
    if (present) {
        // Not redo_page: a torn page of the map must not stop recovery (fsm.F1).
        page = buffer::read_page(buffer::fork_of_file(file, FSM_FORKNUM), block, nullptr,
                                 buffer::ReadMode::zero_on_error);
        page.latch_exclusive();
    } else {
        page = buffer::redo_page(file, FSM_FORKNUM, block, true, false);
    }
    if (page.view().is_new()) page.edit().init();
    return page;
}

// Whose map refresh_page walks.
struct MapOfRelation {
    Relation rel;

    PinnedPage read(FsmAddress address) const { return read_map(rel, address); }
    static void mark_dirty(const PinnedPage &page) { page.mark_dirty_hint(); }
};
// Replay has files only: no catalog to name a relation in an error, and no refusal of one in two pools.
struct MapInRedo {
    const pg::RelFile &file;

    PinnedPage read(FsmAddress address) const {
        PinnedPage page = redo_map_page(file, physical_block(address), false);
        if (page) page.unlatch();
        return page;
    }
    static void mark_dirty(const PinnedPage &page) { buffer::mark_dirty_in_redo(page); }
};

// Depth first: brings the slots of `address` that cover [first, end) up to date and returns the page's
// largest category.  *beyond is set when the fork ends before the page; then nothing follows it either.
template <typename Map>
std::uint8_t refresh_page(const Map &of, FsmAddress address, BlockNo first, BlockNo end, bool *beyond) {
    const PinnedPage page = of.read(address);
    *beyond = !page;
    if (!page) return 0;
    FsmPage map(page.data());
    if (!address.is_leaf()) {
        const SlotRange range = slots_covering(address, first, end);
        bool ended = false;
        for (int slot = range.first; slot < range.end; slot++) {
            CHECK_FOR_INTERRUPTS();
            const std::uint8_t largest =
                ended ? std::uint8_t{0} : refresh_page(of, child_of(address, slot), first, end, &ended);
            if (map.get(slot) == largest) continue;
            ExclusiveLatch latch(page);
            if (map.set(slot, largest)) of.mark_dirty(page);
        }
    }
    // Start again with low blocks: that is what gives a later vacuum an empty tail.
    map.reset_next_slot();
    return map.largest();
}

// How many pages of the map a table of `heap_blocks` needs, and the slot at which the last one's tail begins
// (0: the last page is full, nothing is to be cleared).
struct MapEnd {
    BlockNo blocks;
    BlockNo tail_block;
    int tail_slot;
};
MapEnd map_end(BlockNo heap_blocks) {
    const FsmPlace removed = place_of_heap_block(heap_blocks);
    const BlockNo block = physical_block(removed.page);
    return {removed.slot > 0 ? block + 1 : block, block, removed.slot};
}

}  // namespace

int category_of(Size avail) noexcept {
    return category_of_free(avail);
}

Size category_to_avail(int category) noexcept {
    return free_of_category(category);
}

BlockNo find(Relation rel, Size needed) {
    return search_tree(rel, request_category(needed));
}

BlockNo find_cached(Relation rel, Size needed, bool *complete) {
    *complete = true;
    return search_tree(rel, request_category(needed), Reach::cached, complete);
}

BlockNo record_and_find(Relation rel, BlockNo old_block, Size old_avail, Size needed) {
    const std::uint8_t least = request_category(needed);
    const FsmPlace place = place_of_heap_block(old_block);
    bool found = false;
    int slot = 0;
    if (const PinnedPage page = read_or_extend_map(rel, place.page)) {
        ExclusiveLatch latch(page);
        if (FsmPage(page.data()).set(place.slot, category_of_free(old_avail))) page.mark_dirty_hint();
        // A page near the old one is preferred, and costs nothing to look for while we are here.
        found = search_latched(page, least, true, true, &slot);
    }
    if (found) {
        const BlockNo block = heap_block_at(place.page, slot);
        if (heap_block_exists(rel, block)) return block;
    }
    return search_tree(rel, least);
}

void record(Relation rel, BlockNo block, Size avail) {
    const FsmPlace place = place_of_heap_block(block);
    set_slot(rel, place.page, place.slot, category_of_free(avail));
}

Size recorded(Relation rel, BlockNo block) {
    const FsmPlace place = place_of_heap_block(block);
    const PinnedPage page = read_map(rel, place.page);
    return page ? free_of_category(FsmPage(page.data()).get(place.slot)) : 0;
}

void update_upper(Relation rel, BlockNo first, BlockNo end) {
    if (end <= first) return;
    bool beyond = false;
    refresh_page(MapOfRelation{rel}, kRootAddress, first, end, &beyond);
}

void record_range(Relation rel, BlockNo first, BlockNo end, Size avail) {
    const std::uint8_t category = category_of_free(avail);
    for (BlockNo block = first; block < end;) {
        const FsmPlace place = place_of_heap_block(block);
        const BlockNo here = std::min<BlockNo>(end - block, static_cast<BlockNo>(kSlotsPerPage - place.slot));
        if (const PinnedPage page = read_or_extend_map(rel, place.page)) {
            ExclusiveLatch latch(page);
            if (FsmPage(page.data()).set_range(place.slot, place.slot + static_cast<int>(here), category))
                page.mark_dirty_hint();
        }
        block += here;
    }
    update_upper(rel, first, end);
}

int slots_in_pool(Relation rel, BlockNo block) {
    const FsmPlace place = place_of_heap_block(block);
    return read_map(rel, place.page, Reach::cached) ? kSlotsPerPage - place.slot : 0;
}

bool record_range_cached(Relation rel, BlockNo first, BlockNo end, Size avail) {
    const std::uint8_t category = category_of_free(avail);
    FsmPlace place = place_of_heap_block(first);
    const int here = static_cast<int>(end - first);
    if (here > kSlotsPerPage - place.slot) return false;
    std::uint8_t largest = 0;
    for (int slots = here;; slots = 1) {
        const PinnedPage page = read_map(rel, place.page, Reach::cached);
        if (!page) return false;
        ExclusiveLatch latch(page);
        FsmPage map(page.data());
        const std::uint8_t value = place.page.is_leaf() ? category : largest;
        if (map.set_range(place.slot, place.slot + slots, value)) page.mark_dirty_hint();
        if (place.page.is_root()) return true;
        largest = map.largest();
        place = parent_of(place.page);
    }
}

BlockNo prepare_truncate(Relation rel, BlockNo heap_blocks) {
    if (!::smgrexists(::RelationGetSmgr(rel), FSM_FORKNUM)) return kInvalidBlock;
    const MapEnd end = map_end(heap_blocks);
    const BlockNo present = ::smgrnblocks(::RelationGetSmgr(rel), FSM_FORKNUM);
    if (end.tail_slot == 0) return present <= end.blocks ? kInvalidBlock : end.blocks;
    if (end.tail_block >= present) return kInvalidBlock;
    const PinnedPage page = read_map(rel, place_of_heap_block(heap_blocks).page);
    if (!page) return kInvalidBlock;
    ExclusiveLatch latch(page);
    if (FsmPage(page.data()).clear_from(end.tail_slot)) page.mark_dirty_hint();
    return end.blocks;
}

void redo_record(const pg::RelFile &file, BlockNo heap_block, Size avail) {
    const FsmPlace place = place_of_heap_block(heap_block);
    const PinnedPage page = redo_map_page(file, physical_block(place.page), true);
    // mark_dirty_hint would do nothing here when checksums are on: no image can be logged in recovery.  But
    // none is needed, for a torn page of the map is read as zeroes.
    if (FsmPage(page.data()).set(place.slot, category_of_free(avail))) buffer::mark_dirty_in_redo(page);
    page.unlatch();
}

void redo_truncate(const pg::RelFile &file, BlockNo heap_blocks) {
    SMgrRelation smgr = ::smgropen(file, pg::kNoBackend);
    if (!::smgrexists(smgr, FSM_FORKNUM)) return;
    const MapEnd end = map_end(heap_blocks);
    if (end.tail_slot > 0) {
        const PinnedPage page = redo_map_page(file, end.tail_block, false);
        if (page) {
            if (FsmPage(page.data()).clear_from(end.tail_slot)) buffer::mark_dirty_in_redo(page);
            page.unlatch();
        }
    }
    BlockNo present = ::smgrnblocks(smgr, FSM_FORKNUM);
    if (present > end.blocks) {
        BlockNo kept = end.blocks;
        ForkNumber fork = FSM_FORKNUM;
        buffer::forget_from(pg::shared_file(file), FSM_FORKNUM, kept);
        START_CRIT_SECTION();
        pg::truncate_forks(smgr, &fork, 1, &present, &kept);
        END_CRIT_SECTION();
    }
    bool beyond = false;
    refresh_page(MapInRedo{file}, kRootAddress, heap_blocks, kInvalidBlock, &beyond);
}

}  // namespace glassheap::fsm
