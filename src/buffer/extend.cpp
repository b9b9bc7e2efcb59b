// buffer/extend.cpp — see buffer/extend.hpp.
//
// Why:    loads spend their time here: one lock, one size query and few large writes serve a batch of pages.
// Invariants: pool.X1 pages are on disk (as zeroes) before anybody learns their number: a full disk is an
//            error here, and nothing is lost.
//         pool.X2 the first new page is latched before it becomes valid: nobody sees it but as its maker
//            leaves it.
//         pool.X3 a page within the file's length is never made up.  What enters the pool as zeroes instead
//            of being read was tagged, I/O in progress, before the file had it, and becomes valid as soon as
//            the extension lock is free: who learns the new length and asks for the page waits for that.
//            Pages for which there was no frame, or whose I/O was given up, are read when they are wanted.
//         pool.X4 tags beyond the end of the file, which an error leaves behind, have no data: whoever asks
//            for such a page reads it (and fails, or by then the file has it), replacement and forget_* drop
//            them.
//         pool.X5 NewFrames first, then the relation extension lock, then extend(): no other page is written
//            or flushed under the lock.  Exceptions: a pool too small to hold frames in advance, and a frame
//            lost to a reader of the very page beyond the end that is being added; such a reader is also
//            waited for.  What the relation may become between the two does not matter: the frames have no
//            tag yet, and extend() asks for the length under the lock.
// Locking: pool.X5; no lock for a relation that nobody else can see.
// Errors: may longjmp: full disk, ERRCODE_PROGRAM_LIMIT_EXCEEDED; NewFrames: pool exhausted, I/O of a victim.
// Model:  doc/design/models/extension.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/extend.hpp"
//
#include "buffer/access_ring.hpp"
#include "buffer/io.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_usage.hpp"
#include "storage/files.hpp"
#include "storage/grow.hpp"

namespace glassheap::buffer {

namespace {

void require_room(const ForkRef &ref, BlockNo first, BlockNo count) {
    if (first <= MaxBlockNumber && count <= MaxBlockNumber - first) return;
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("cannot extend relation %s beyond %u blocks",
                           storage::path_of(ref.owned.file, ref.owned.backend, ref.fork), MaxBlockNumber)));
}

void lengthen(const ForkRef &ref, BlockNo first, BlockNo count, AccessRing *ring) {
    GH_STOP_POINT("buffer.extend_before_file");
    IoTimer timer;
    storage::extend_zeroed(ref.owned.file, ref.owned.backend, ref.fork, first, count);
    CounterSet &mine = counters(kind_of(ring));
    timer.stop(pg::shared_write_time(), mine.extend_us);
    pg::count_pages_added(ref.fork, false, count);
    buffer::count(mine.extends, count);
    if (RelationCounters *io = relation_counters(ref.owned.file, true))
        io->extends.fetch_add(count, std::memory_order_relaxed);
    GH_STOP_POINT("buffer.extend_after_file");
}

// A page of this number was in the pool before the file had it: at best zeroes.
void require_unused(const ForkRef &ref, const PinnedPage &page) {
    if (page.view().is_new()) return;
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("unexpected data beyond EOF in block %u of relation %s", page.block(),
                    storage::path_of(ref.owned.file, ref.owned.backend, ref.fork)),
             errhint("This has been seen to occur with buggy kernels; consider updating your system.")));
}

void publish_zeroes(FrameNo frame) noexcept {
    std::memset(page_at(frame), 0, page::kPageSize);
    finish_read(frame, true);
}

// All processes may wait for extension locks at once, with frames in hand.
BlockNo frames_allowed(const AccessRing *ring) noexcept {
    const BlockNo most = fair_share();
    return ring == nullptr ? most : std::min(most, static_cast<BlockNo>(std::max(ring->size / 4, 1)));
}

bool holds_extension_lock(Relation rel) noexcept {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION_EXTEND(tag, rel->rd_lockInfo.lockRelId.dbId, rel->rd_lockInfo.lockRelId.relId);
    return ::LockHeldByMe(&tag, ExclusiveLock);
}

}  // namespace

NewFrames::NewFrames(Relation rel, BlockNo wanted, AccessRing *ring) : ring_(ring) {
    require_ready();
    refuse_if_in_two_pools(rel);
    GH_ASSERT(wanted > 0 && wanted <= kMax);
    GH_ASSERT(!holds_extension_lock(rel));
    if (is_in_local_pool(rel)) {
        pages_ = wanted;  // a pool of one's own: no lock to be short under
        return;
    }
    const BlockNo most = std::min(wanted, frames_allowed(ring));
    if (most == 0) return;
    frames_.push_back(claim_victim(ring));
    while (frames_.size() < most) {
        const FrameNo frame = claim_victim_at_once(ring);
        if (frame == kNoFrame) break;
        frames_.push_back(frame);
    }
    pages_ = static_cast<BlockNo>(frames_.size());
}

NewFrames::~NewFrames() {
    publish();
    while (!frames_.empty()) free_held(take());
}

// In the order in which others are told of them.
void NewFrames::publish() noexcept {
    while (published_ < tagged_.size()) publish_next();
}

void NewFrames::publish_next() noexcept {
    const FrameNo frame = tagged_[published_++];
    // Given up when the free space map, which is told in between, could not be written: others may have read
    // the page since, and put rows there.
    if (has_claim(frame)) [[likely]]
        publish_zeroes(frame);
    unpin_frame(frame);
}

// Tags the pages after the first, as far as there are frames.  One that somebody asked for too early, and is
// reading, ends it: nobody is waited for.
void NewFrames::tag_followers(const ForkRef &ref, BlockNo first, BlockNo count) {
    for (BlockNo block = first + 1; block < first + count && !frames_.empty(); ++block) {
        const Found found = insert_or_find(make_request(ref, block, ring_), take());
        if (!found.mine) {
            unpin_frame(found.frame);
            break;
        }
        tagged_.push_back(found.frame);
    }
}

PinnedPage NewFrames::add_pages(const ForkRef &ref, BlockNo first, BlockNo count) {
    const Found found =
        find_or_insert_with(make_request(ref, first, ring_), !frames_.empty() ? take() : kNoFrame);
    PinnedPage page = PoolAccess::adopt_shared(found.frame, first);
    tag_followers(ref, first, count);
    page.latch_exclusive();
    if (!found.mine) require_unused(ref, page);
    lengthen(ref, first, count, ring_);
    if (found.mine) publish_zeroes(found.frame);
    // The first of those who wait for the lock is served with this one, and should not wait again.
    if (!tagged_.empty()) publish_next();
    return page;
}

PinnedPage extend(Relation rel, ForkNumber fork, BlockNo count, NewFrames *frames) {
    GH_ASSERT(count > 0);
    GH_ASSERT(RELATION_IS_LOCAL(rel) || holds_extension_lock(rel));
    const ForkRef ref = fork_of(rel, fork);
    const BlockNo first = storage::block_count(ref.owned.file, ref.owned.backend, fork);
    require_room(ref, first, count);
    if (is_in_local_pool(rel)) return local_extend(ref, first, count);
    return frames->add_pages(ref, first, count);
}

}  // namespace glassheap::buffer
