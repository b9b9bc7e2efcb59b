// buffer/load.cpp — from a tag to a pinned, valid page.
//
// Why:    the one place where pages enter the pool.
// Invariants: pool.R1 a frame found in the table without data gets its read from whoever claims it next; so
//            an error while reading harms nobody.
// Errors: may longjmp (I/O, damaged page, interrupts); pins and claims are given up by the resource owner.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/access_ring.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/io.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/peek.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "buffer/verify.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_usage.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// A pinned frame that was found: waits for a read in progress; takes over one that failed.
// False: the page was dropped under us, look again.  An outdated one is still good for reading.
bool settle(Found *found) {
    Frame &f = frame_at(found->frame);
    for (;;) {
        const StateBits seen = f.state.load();
        if (seen.valid()) return !seen.outdated() || put_away(found->frame) != PutAway::gone;
        if (!seen.tagged()) return false;
        const BeginIo begin = f.state.try_begin_read();
        if (begin == BeginIo::begun) {
            claim_io(found->frame, false);
            found->mine = true;
            return true;
        }
        if (begin == BeginIo::busy) wait_for_io(found->frame);
    }
}

FrameNo find_existing(const LoadRequest &request) {
    reserve_pin();
    return find_and_pin_surely(request.tag, request.hash, request.warmth);
}

void count_hit(const LoadRequest &request) noexcept {
    pg::count_page_hit();
    count(counters(kind_of(request.ring)).hits);
}

void count_read(const LoadRequest &request) noexcept {
    pg::count_page_read();
    count(counters(kind_of(request.ring)).reads);
    if (RelationCounters *io = relation_counters(file_of(request.tag), true))
        io->reads.fetch_add(1, std::memory_order_relaxed);
}

PinnedPage read_shared(const LoadRequest &request, ReadMode mode, bool *hit) {
    GH_ASSERT(mode != ReadMode::empty_if_torn || kind_of(request.ring) != RingKind::bulk_read);
    reserve_pin();
    const FrameNo frame = find_and_pin(request.tag, request.hash, request.warmth);
    if (frame != kNoFrame && frame_at(frame).state.load().usable()) [[likely]] {
        *hit = request.ring == nullptr || !take_read_ahead(request.ring, request.tag.block);
        if (*hit) [[likely]]
            count_hit(request);
        else
            count_read(request);
        return PoolAccess::adopt_shared(frame, request.tag.block);
    }
    if (frame != kNoFrame) unpin_frame(frame);
    const Found found = find_or_insert(request);
    *hit = !found.mine;
    if (found.mine) {
        count_read(request);
        if (kind_of(request.ring) == RingKind::bulk_read)
            read_run(found.frame, request, mode);
        else if (!read_into(found.frame, request, mode)) {
            unpin_frame(found.frame);
            return {};
        }
    } else {
        count_hit(request);
    }
    return PoolAccess::adopt_shared(found.frame, request.tag.block);
}

}  // namespace

Found insert_or_find(const LoadRequest &request, FrameNo held) {
    LWLock *partition = partition_of(request.hash);
    reserve_pin();
    ::LWLockAcquire(partition, LW_EXCLUSIVE);
    const FrameNo there = find_and_pin_locked(request.tag, request.hash, request.warmth);
    if (there != kNoFrame) {
        ::LWLockRelease(partition);
        free_held(held);
        return {there, false};
    }
    insert_frame(held, request.tag, request.hash, request.permanent);
    claim_io(held, false);
    ::LWLockRelease(partition);
    return {held, true};
}

LoadRequest make_request(const ForkRef &fork, BlockNo block, AccessRing *ring) noexcept {
    const PageTag tag = make_tag(fork.owned.file, fork.fork, block);
    return {.tag = tag,
            .hash = hash_tag(tag),
            .permanent = fork.is_permanent(),
            .warmth = warmth_by(ring),
            .ring = ring};
}

Found find_or_insert_with(const LoadRequest &request, FrameNo held) {
    for (;;) {
        Found found = {kNoFrame, false};
        if (held == kNoFrame) {
            found.frame = find_existing(request);
            if (found.frame == kNoFrame) held = claim_victim(request.ring);
        }
        if (found.frame == kNoFrame) {
            found = insert_or_find(request, held);
            held = kNoFrame;
        }
        if (found.mine || settle(&found)) return found;
        unpin_frame(found.frame);
    }
}

Found find_or_insert(const LoadRequest &request) {
    return find_or_insert_with(request, kNoFrame);
}

void finish_read(FrameNo frame, bool ok) noexcept {
    Frame &f = frame_at(frame);
    if (ok) {
        f.disk_lsn.store(load_page_lsn(page_at(frame)), std::memory_order_relaxed);
        f.note_base(page_at(frame), load_page_lsn(page_at(frame)));
        f.known.store(summary_of_read_page(frame), std::memory_order_relaxed);
    }
    f.state.end_read(ok);
    forget_claim(frame);
    ::ConditionVariableBroadcast(&f.waiters);
}

bool read_into(FrameNo frame, const LoadRequest &request, ReadMode mode) {
    GH_STOP_POINT("buffer.page_read");
    IoTimer timer;
    const pg::RelFile file = file_of(request.tag);
    if (has_core_copy(request.tag)) [[unlikely]]
        take_over_core_copy(request.tag, request.permanent, page_at(frame));
    if (!read_from_aside(request.tag, page_at(frame)))
        storage::read_block(file, pg::kNoBackend, fork_number(request.tag), request.tag.block,
                            page_at(frame));
    timer.stop(pg::shared_read_time(), counters(kind_of(request.ring)).read_us);
    if (track_io_timing) pg::count_read_time(timer.micros());
    if (mode == ReadMode::empty_if_torn &&
        seems_torn(page_at(frame), fork_number(request.tag), request.tag.block)) {
        finish_read(frame, false);
        return false;
    }
    verify_page(page_at(frame), file, pg::kNoBackend, fork_number(request.tag), request.tag.block, mode);
    finish_read(frame, true);
    return true;
}

PinnedPage read_page(Relation rel, ForkNumber fork, BlockNo block, AccessRing *ring, ReadMode mode) {
    require_ready();
    const bool is_local = is_in_local_pool(rel);
    refuse_if_in_two_pools(rel);
    pgstat_count_buffer_read(rel);
    bool hit = false;
    PinnedPage page = is_local ? local_read(fork_of(rel, fork), block, mode, &hit)
                               : read_shared(make_request(fork_of(rel, fork), block, ring), mode, &hit);
    if (hit) pgstat_count_buffer_hit(rel);
    return page;
}

PinnedPage read_page(const ForkRef &fork, BlockNo block, AccessRing *ring, ReadMode mode) {
    require_ready();
    bool hit = false;
    if (is_in_local_pool(fork)) return local_read(fork, block, mode, &hit);
    return read_shared(make_request(fork, block, ring), mode, &hit);
}

PinnedPage read_recent(Relation rel, ForkNumber fork, BlockNo block, FrameNo hint, AccessRing *ring) {
    if (hint == kNoFrame || !is_ready()) return {};
    if (is_in_local_pool(rel)) return local_repin(fork_of(rel, fork), block, hint);
    if (hint < 0 || hint >= pool.frame_count) return {};
    refuse_if_in_two_pools(rel);
    const PageTag tag = make_tag(pg::file_of(rel), fork, block);
    Frame &f = frame_at(hint);
    if (!tag_seems(f, tag)) return {};
    reserve_pin();
    if (!pin_frame(hint, warmth_by(ring))) return {};
    if (!(f.tag == tag) || !f.state.load().usable()) {
        unpin_frame(hint);
        return {};
    }
    pgstat_count_buffer_read(rel);
    pgstat_count_buffer_hit(rel);
    ++pgBufferUsage.shared_blks_hit;
    count(counters(kind_of(ring)).hits);
    return PoolAccess::adopt_shared(hint, block);
}

PinnedPage read_if_cached(const ForkRef &fork, BlockNo block) {
    require_ready();
    if (is_in_local_pool(fork)) return local_read_if_cached(fork, block);
    const LoadRequest request = make_request(fork, block, nullptr);
    reserve_pin();
    const FrameNo frame = find_and_pin(request.tag, request.hash, Warmth::normal);
    if (frame == kNoFrame) return {};
    if (!frame_at(frame).state.load().valid()) {
        unpin_frame(frame);
        return {};
    }
    count_hit(request);
    return PoolAccess::adopt_shared(frame, block);
}

const char *peek_page(Relation rel, ForkNumber fork, BlockNo block) noexcept {
    if (pg::is_temp(rel) || !is_ready()) return nullptr;
    const PageTag tag = make_tag(pg::file_of(rel), fork, block);
    const FrameNo frame = peek_tag(tag, hash_tag(tag));
    return frame == kNoFrame ? nullptr : page_at(frame);
}

void touch_frame(Relation rel, ForkNumber fork, BlockNo block) noexcept {
    if (!pg::is_temp(rel) && is_ready()) touch_chain(hash_tag(make_tag(pg::file_of(rel), fork, block)));
}

void prefetch(Relation rel, ForkNumber fork, BlockNo first, int count) {
    require_ready();
    const ForkRef ref = fork_of(rel, fork);
    const bool is_local = is_in_local_pool(rel);
    for (int i = 0; i < count; ++i) {
        const BlockNo block = first + static_cast<BlockNo>(i);
        const PageTag tag = make_tag(ref.owned.file, fork, block);
        if (is_local ? local_is_cached(ref, block) : is_cached(tag, hash_tag(tag))) continue;
        storage::prefetch_block(ref.owned.file, ref.owned.backend, fork, block);
    }
}

}  // namespace glassheap::buffer
