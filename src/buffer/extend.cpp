// buffer/extend.cpp — making a fork longer.
//
// Why:    loads spend their time here: one lock, one size query and few large writes serve a batch of pages.
// Invariants: X1 pages are on disk (as zeroes) before anybody learns their number: a full disk is an error
//            here, and nothing is lost.
//         X2 the new page is latched before it becomes valid: nobody sees it but as its maker leaves it.
// Locking: the frame is claimed (which may write another page) before the relation extension lock is taken.
// Errors: may longjmp: full disk, ERRCODE_PROGRAM_LIMIT_EXCEEDED, pool exhausted.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/access_ring.hpp"
#include "buffer/io.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "debug/stop_points.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// How many waiters of the extension lock make a batch how much larger; bounds as heap's.
constexpr BlockNo kPagesPerWaiter = 20;
constexpr BlockNo kPagesMax = 512;
// A bulk load of a table that is large already takes several pages at once (one write of 128 kB); in small
// tables the rest of the last batch would show.
constexpr BlockNo kBulkPages = 16;
constexpr BlockNo kBulkFrom = 1024;

class ExtensionLock {
public:
    explicit ExtensionLock(Relation rel) : rel_(RELATION_IS_LOCAL(rel) ? nullptr : rel) {}
    // With `grow`, looks who waits, and takes more for them.
    void take(BlockNo *count, bool grow) {
        if (rel_ == nullptr) return;
        if (!grow) {
            ::LockRelationForExtension(rel_, ExclusiveLock);
            return;
        }
        if (::ConditionalLockRelationForExtension(rel_, ExclusiveLock)) return;
        ::LockRelationForExtension(rel_, ExclusiveLock);
        const auto waiters = static_cast<BlockNo>(::RelationExtensionLockWaiterCount(rel_));
        *count = std::min(kPagesMax, *count + waiters * kPagesPerWaiter);
    }
    void release() const {
        if (rel_ != nullptr) ::UnlockRelationForExtension(rel_, ExclusiveLock);
    }

private:
    Relation rel_;  // an error releases the lock with the transaction's
};

void require_room(const ForkRef &ref, BlockNo first, BlockNo count) {
    if (first <= MaxBlockNumber && count <= MaxBlockNumber - first) return;
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("cannot extend relation %s beyond %u blocks",
                           storage::path_of(ref.node.node, ref.node.backend, ref.fork), MaxBlockNumber)));
}

void lengthen(const ForkRef &ref, BlockNo first, BlockNo count, AccessRing *ring) {
    IoTimer timer;
    storage::extend_zeroed(ref.node.node, ref.node.backend, ref.fork, first, count);
    CounterSet &mine = counters(kind_of(ring));
    timer.stop(pgBufferUsage.blk_write_time, mine.extend_us);
    buffer::count(mine.extends, count);
    if (RelationCounters *io = relation_counters(ref.node.node, true))
        io->extends.fetch_add(count, std::memory_order_relaxed);
}

// A page of this number was in the pool before the file had it: at best zeroes.
void require_unused(const ForkRef &ref, FrameNo frame, BlockNo block) {
    if (page::PageView(page_at(frame)).is_new()) return;
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("unexpected data beyond EOF in block %u of relation %s", block,
                    storage::path_of(ref.node.node, ref.node.backend, ref.fork)),
             errhint("This has been seen to occur with buggy kernels; consider updating your system.")));
}

// The first new page enters the pool, latched, before the file grows: whoever reads the new size early
// and asks for the page waits for its maker.
PinnedPage add_pages(const ForkRef &ref, BlockNo first, BlockNo count, AccessRing *ring, FrameNo held) {
    const Found found = find_or_insert_with(make_request(ref, first, ring), held);
    Frame &f = frame_at(found.frame);
    PinnedPage page = PoolAccess::adopt_shared(found.frame, first);
    ::LWLockAcquire(&f.latch, LW_EXCLUSIVE);
    f.known.store(0, std::memory_order_relaxed);
    if (!found.mine) require_unused(ref, found.frame, first);
    lengthen(ref, first, count, ring);
    if (found.mine) {
        std::memset(page.data(), 0, page::kPageSize);
        finish_read(found.frame, true);
    }
    return page;
}

bool is_bulk(const AccessRing *ring) noexcept {
    return kind_of(ring) == RingKind::bulk_write;
}

// The further pages of a bulk load are wanted next: they enter the pool now, instead of being read back.
void adopt_rest(const ForkRef &ref, BlockNo first, BlockNo end, AccessRing *ring) {
    for (BlockNo block = first; block < end; ++block) {
        const Found found = find_or_insert(make_request(ref, block, ring));
        if (found.mine) {
            std::memset(page_at(found.frame), 0, page::kPageSize);
            finish_read(found.frame, true);
        }
        unpin_frame(found.frame);
    }
}

}  // namespace

PinnedPage extend(Relation rel, ForkNumber fork, BlockNo count, AccessRing *ring, BlockNo *added) {
    require_ready();
    GH_ASSERT(count > 0);
    const ForkRef ref = fork_of(rel, fork);
    const FrameNo held = ref.is_temp() ? kNoFrame : claim_victim(ring);
    ExtensionLock lock(rel);
    lock.take(&count, added != nullptr);
    const BlockNo first = storage::block_count(ref.node.node, ref.node.backend, fork);
    if (added != nullptr && is_bulk(ring) && first >= kBulkFrom) count = std::max(count, kBulkPages);
    require_room(ref, first, count);
    if (added != nullptr) *added = count;
    if (ref.is_temp()) {
        PinnedPage page = local_extend(ref, first, count);
        lock.release();
        return page;
    }
    GH_STOP_POINT("extend_before_file");
    PinnedPage page = add_pages(ref, first, count, ring, held);
    lock.release();
    if (is_bulk(ring) && count > 1 && count <= static_cast<BlockNo>(ring->size) / 4)
        adopt_rest(ref, first + 1, first + count, ring);
    return page;
}

}  // namespace glassheap::buffer
