// heap/placement.cpp — the search for a page: the last one used, the free space map, the end of the file.
//
// Invariants: heap.P1 to heap.P3 of heap/placement.hpp.
// Locking: page latches in block order; the extension lock is never requested under a page latch.
// Errors: may longjmp.
// WAL:    none (a new page is logged with its first row).
// See:    heap/README.md; PG: access/heap/hio.c.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/extend.hpp"
#include "debug/stop_points.hpp"
#include "fsm/free_space_map.hpp"
#include "heap/heap_errors.hpp"
#include "heap/placement.hpp"
#include "heap/row_access.hpp"
#include "pg/pg_locks.hpp"

namespace glassheap::heap {
namespace {

// A page that lost only this much to line pointers still counts as empty when a large row meets a low
// fillfactor; otherwise such a table would grow by a page per row.
constexpr Size kNearlyEmpty = page::kMaxTupleSize - page::kMaxTuplesPerPage / 8 * page::kLinePointerSize;

constexpr Size kEmptyPageSpace = page::kPageSize - page::kHeaderSize;

// Waiters of the extension lock are served in advance, several pages each, up to a limit.
constexpr int kPagesPerWaiter = 20;
constexpr int kExtraPagesMax = 512;

// A bulk load of a table that is large already takes several pages at once: what is left of the last batch
// is little beside the table, and in small tables nothing.
constexpr BlockNo kBulkFrom = 1024;
constexpr BlockNo kBulkShare = 64;
static_assert(kBulkFrom / kBulkShare > 1);

// The frame that took this backend's last row: saves the look-up of the page table, nothing depends on it.
FrameNo last_frame = kNoFrame;

// Another session's run of inserts has the page for itself (heap.I2).
Size room_on(const buffer::PinnedPage &page) noexcept {
    return page.is_reserved() ? 0 : page.view().free_space_for_tuple();
}

class PageSearch {
public:
    explicit PageSearch(const PlaceRequest &request);
    buffer::PinnedPage run();

private:
    enum class Try : std::uint8_t { chosen, no_room, busy };

    BlockNo first_candidate() const;
    BlockNo next_candidate(BlockNo tried) const;
    BlockNo candidate_beside(BlockNo busy);
    Try try_block(BlockNo block);
    bool passes_if_busy(BlockNo block) const noexcept;
    bool seems_full();
    void read_candidate(BlockNo block);
    void latch_candidate() const;
    void unlatch_candidate() const;
    void ensure_vm_pins();
    bool pin_missing_vm_pages();
    bool extend();
    bool takes_batches_from(BlockNo tried) const noexcept;
    BlockNo pages_wanted() const noexcept;
    BlockNo lock_extension(int *extra) const;
    int pages_for_waiters() const;
    bool latch_other_of_new_page();

    const PlaceRequest &request_;
    const bool use_fsm_;
    buffer::AccessRing *const ring_;
    Size length_;        // aligned
    Size wanted_space_;  // including what the fillfactor reserves
    bool at_other_ = false;
    bool passed_one_ = false;  // a page that was busy
    Size found_space_ = 0;
    BlockNo retry_ = kInvalidBlock;
    buffer::PinnedPage page_;  // the candidate, unless it is `other`
};

PageSearch::PageSearch(const PlaceRequest &request)
    : request_(request),
      use_fsm_((request.options & HEAP_INSERT_SKIP_FSM) == 0),
      ring_(request.bulk ? buffer::bulk_write_ring() : nullptr) {
    length_ = MAXALIGN(request.length);
    if (length_ > page::kMaxTupleSize) report_row_too_big(length_);
    wanted_space_ = space_wanted(request.rel, length_);
}

buffer::PinnedPage PageSearch::run() {
    BlockNo block = first_candidate();
    for (;;) {
        while (block != kInvalidBlock) {
            const Try tried = try_block(block);
            if (tried == Try::chosen) return std::move(page_);
            block = tried == Try::busy ? candidate_beside(block) : next_candidate(block);
        }
        if (extend()) return std::move(page_);
        block = retry_;
    }
}

BlockNo PageSearch::first_candidate() const {
    BlockNo block = RelationGetTargetBlock(request_.rel);
    if (block == kInvalidBlock && use_fsm_) block = fsm::find(request_.rel, wanted_space_);
    if (block != kInvalidBlock) return block;
    // The map knows nothing, as after a start with an old file: the last page is worth a look.
    const BlockNo blocks = RelationGetNumberOfBlocks(request_.rel);
    return blocks > 0 ? blocks - 1 : kInvalidBlock;
}

BlockNo PageSearch::next_candidate(BlockNo tried) const {
    if (use_fsm_) return fsm::record_and_find(request_.rel, tried, found_space_, wanted_space_);
    // A load of a new table asks the map for nothing but the empty pages of its own last batch.
    if (takes_batches_from(tried))
        return fsm::record_and_find(request_.rel, tried, found_space_, page::kMaxTupleSize);
    return kInvalidBlock;
}

// The page that another load is filling is empty by the map until it is full: it is not waited for, nor is it
// asked for again when the map knows no other.
bool PageSearch::passes_if_busy(BlockNo block) const noexcept {
    return use_fsm_ && !passed_one_ && takes_batches_from(block) &&
           block != RelationGetTargetBlock(request_.rel);
}

BlockNo PageSearch::candidate_beside(BlockNo busy) {
    passed_one_ = true;
    const BlockNo block = fsm::find(request_.rel, wanted_space_);
    return block != busy ? block : kInvalidBlock;
}

// The page that this session has just filled, most often.  The latch would make it forget what is known of it
// (pool.A1).  Room that somebody makes this moment is found another time.
bool PageSearch::seems_full() {
    if (at_other_ || page_.view().is_new()) return false;
    found_space_ = room_on(page_);
    return found_space_ < wanted_space_;
}

PageSearch::Try PageSearch::try_block(BlockNo block) {
    read_candidate(block);
    if (seems_full()) {
        page_.release();
        return Try::no_room;
    }
    if (!passes_if_busy(block)) {
        latch_candidate();
    } else if (!page_.try_latch_exclusive()) {
        page_.release();
        return Try::busy;
    }
    ensure_vm_pins();
    const buffer::PinnedPage &page = at_other_ ? *request_.other : page_;
    // Not marked dirty: an empty page and a page of zeroes mean the same, and the row will mark it.
    if (page.view().is_new()) page.edit().init();
    found_space_ = room_on(page);
    if (wanted_space_ <= found_space_) {
        RelationSetTargetBlock(request_.rel, block);
        if (!at_other_) last_frame = page_.frame();
        return Try::chosen;
    }
    unlatch_candidate();
    page_.release();
    return Try::no_room;
}

// Pins the candidate and, by guess, the map pages: no I/O is wanted once latches are held.
void PageSearch::read_candidate(BlockNo block) {
    at_other_ = request_.other != nullptr && request_.other->block() == block;
    if (at_other_) {
        pin_vm_if_visible(request_.rel, *request_.other, request_.vmbuf_other);
        return;
    }
    page_ = buffer::read_recent(request_.rel, MAIN_FORKNUM, block, last_frame, ring_);
    if (!page_) page_ = buffer::read_page(request_.rel, MAIN_FORKNUM, block, ring_);
    pin_vm_if_visible(request_.rel, page_, request_.vmbuf);
    if ((request_.options & HEAP_INSERT_FROZEN) != 0 && page_.view().max_slot() == 0)
        vm::pin(request_.rel, block, request_.vmbuf);  // an empty page will be set all-frozen
}

void PageSearch::latch_candidate() const {
    const buffer::PinnedPage *other = request_.other;
    if (at_other_ || (other != nullptr && other->block() < page_.block())) other->latch_exclusive();
    if (at_other_) return;
    page_.latch_exclusive();
    if (other != nullptr && other->block() > page_.block()) other->latch_exclusive();
}

void PageSearch::unlatch_candidate() const {
    if (!at_other_) page_.unlatch();
    if (request_.other != nullptr) request_.other->unlatch();
}

// heap.P2: pages may have become all-visible before they were latched.
void PageSearch::ensure_vm_pins() {
    while (pin_missing_vm_pages()) latch_candidate();
}

// Returns true when the latches had to be given up to pin map pages.
bool PageSearch::pin_missing_vm_pages() {
    const buffer::PinnedPage *other = request_.other;
    const bool need =
        !at_other_ && page_.view().all_visible() && !vm::pin_covers(page_.block(), *request_.vmbuf);
    const bool need_other = other != nullptr && other->view().all_visible() &&
                            !vm::pin_covers(other->block(), *request_.vmbuf_other);
    if (!need && !need_other) [[likely]]
        return false;
    unlatch_candidate();
    if (need) vm::pin(request_.rel, page_.block(), request_.vmbuf);
    if (need_other) vm::pin(request_.rel, other->block(), request_.vmbuf_other);
    return true;
}

// How long the table is is told by the page that was full: it need not be exact.
bool PageSearch::takes_batches_from(BlockNo tried) const noexcept {
    return request_.bulk && tried != kInvalidBlock && tried >= kBulkFrom;
}

BlockNo PageSearch::pages_wanted() const noexcept {
    const BlockNo tried = RelationGetTargetBlock(request_.rel);
    if (!takes_batches_from(tried)) return 1;
    return std::min(tried / kBulkShare, buffer::NewFrames::kMax);
}

// Adds pages to the file.  False: somebody else's page should be tried first (retry_).  The frames come
// first: nothing is written or flushed for them while others wait for the extension lock.
bool PageSearch::extend() {
    buffer::NewFrames frames(request_.rel, pages_wanted(), ring_);
    int extra = 0;
    retry_ = lock_extension(&extra);
    if (retry_ != kInvalidBlock) return false;
    const BlockNo added = std::max(static_cast<BlockNo>(extra) + 1, frames.pages());
    page_ = buffer::extend(request_.rel, MAIN_FORKNUM, added, &frames);
    const BlockNo block = page_.block();
    const BlockNo end = block + added;
    if (!page_.view().is_new()) report_page_not_empty(request_.rel, block);
    page_.edit().init();
    at_other_ = false;
    // The waiters get the lock one after the other, and each looks into the map first.  So do we: a load that
    // ends early, or goes on in another table, leaves no page that nobody knows.
    const bool told = added == 1 || fsm::record_range_cached(request_.rel, block + 1, end, kEmptyPageSpace);
    if (!RELATION_IS_LOCAL(request_.rel)) pg::unlock_extension(request_.rel);
    frames.publish();
    GH_STOP_POINT("heap.extend_unlocked");
    if (!told || (request_.options & HEAP_INSERT_FROZEN) != 0) {
        page_.unlatch();
        if (!told) fsm::record_range(request_.rel, block + 1, end, kEmptyPageSpace);
        if ((request_.options & HEAP_INSERT_FROZEN) != 0) vm::pin(request_.rel, block, request_.vmbuf);
        page_.latch_exclusive();
    }
    if (!latch_other_of_new_page()) {
        retry_ = block;
        return false;
    }
    RelationSetTargetBlock(request_.rel, block);
    last_frame = page_.frame();
    return true;
}

// Takes the extension lock; while others wait for it too, *extra tells how many pages to add for them.
// Returns a page that somebody else added meanwhile, without the lock; else kInvalidBlock, with it.  Such a
// page was recorded just now: what the map says on pages that are not in the pool is not worth reading here.
BlockNo PageSearch::lock_extension(int *extra) const {
    Relation rel = request_.rel;
    if (RELATION_IS_LOCAL(rel)) return kInvalidBlock;  // nobody else can see it
    if (!use_fsm_) {
        pg::lock_extension(rel);
        return kInvalidBlock;
    }
    if (pg::try_lock_extension(rel)) return kInvalidBlock;
    pg::lock_extension(rel);
    bool complete = false;
    const BlockNo block = fsm::find_cached(rel, wanted_space_, &complete);
    if (block != kInvalidBlock) {
        pg::unlock_extension(rel);
        return block;
    }
    if (complete) *extra = pages_for_waiters();
    return kInvalidBlock;
}

// As many as the map can be told of before the lock is let go: what they do not find there they add again.
// Who has the lock counts as one of them.
int PageSearch::pages_for_waiters() const {
    const int waiters = std::max(0, pg::extension_lock_waiters(request_.rel));
    const BlockNo own = RelationGetNumberOfBlocks(request_.rel);
    return std::min({kExtraPagesMax, waiters * kPagesPerWaiter, fsm::slots_in_pool(request_.rel, own + 1)});
}

// The new page is latched, the other has a lower number: against heap.P1 it is only tried, which nearly
// always works and keeps others off the new page.  False, without latches, when the new page was filled
// meanwhile.
bool PageSearch::latch_other_of_new_page() {
    const buffer::PinnedPage *other = request_.other;
    if (other != nullptr && !other->try_latch_exclusive()) {
        page_.unlatch();
        latch_candidate();
    }
    ensure_vm_pins();
    if (length_ <= room_on(page_)) [[likely]]
        return true;
    unlatch_candidate();
    page_.release();
    return false;
}

}  // namespace

Size space_wanted(Relation rel, Size length) noexcept {
    const Size aligned = MAXALIGN(length);
    const Size wanted = aligned + RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR);
    return wanted <= kNearlyEmpty ? wanted : std::max(aligned, kNearlyEmpty);
}

buffer::PinnedPage choose_page(const PlaceRequest &request) {
    return PageSearch(request).run();
}

void pin_vm_if_visible(Relation rel, const buffer::PinnedPage &page, Buffer *vmbuf) {
    if (page.view().all_visible()) vm::pin(rel, page.block(), vmbuf);
}

}  // namespace glassheap::heap
