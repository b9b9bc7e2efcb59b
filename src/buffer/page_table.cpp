// buffer/page_table.cpp — see buffer/page_table.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/page_table.hpp"

#include "buffer/pins.hpp"

namespace glassheap::buffer {

namespace {

// A walk without a lock may be led into another chain and round in circles.
constexpr int kOptimisticSteps = 64;

std::atomic<FrameNo> &bucket_of(std::uint32_t hash) noexcept {
    return pool.buckets[hash & pool.bucket_mask];
}

std::uint32_t relation_hash(const pg::RelFile &file) noexcept {
    return hash_relation(make_tag(file, MAIN_FORKNUM, 0));
}
LWLock *relation_partition(std::uint32_t hash) noexcept {
    return &pool.relation_locks[hash & (kPartitions - 1)].lock;
}

void push_front(FrameNo &head, FrameNo frame) noexcept {
    Frame &f = frame_at(frame);
    f.relation_prev = kNoFrame;
    f.relation_next = head;
    if (head != kNoFrame) frame_at(head).relation_prev = frame;
    head = frame;
}

void take_out(FrameNo &head, FrameNo frame) noexcept {
    const Frame &f = frame_at(frame);
    if (f.relation_prev == kNoFrame) {
        GH_ASSERT(head == frame);
        head = f.relation_next;
    } else {
        frame_at(f.relation_prev).relation_next = f.relation_next;
    }
    if (f.relation_next != kNoFrame) frame_at(f.relation_next).relation_prev = f.relation_prev;
}

void link_relation(FrameNo frame) noexcept {
    const std::uint32_t hash = hash_relation(frame_at(frame).tag);
    ::LWLockAcquire(relation_partition(hash), LW_EXCLUSIVE);
    push_front(pool.relation_heads[hash & pool.relation_mask], frame);
    ::LWLockRelease(relation_partition(hash));
}

void unlink_relation(FrameNo frame) noexcept {
    const std::uint32_t hash = hash_relation(frame_at(frame).tag);
    ::LWLockAcquire(relation_partition(hash), LW_EXCLUSIVE);
    take_out(pool.relation_heads[hash & pool.relation_mask], frame);
    ::LWLockRelease(relation_partition(hash));
}

}  // namespace

FrameNo find_and_pin(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept {
    FrameNo frame = bucket_of(hash).load(std::memory_order_acquire);
    for (int step = 0; frame != kNoFrame && step < kOptimisticSteps; ++step) {
        Frame &f = frame_at(frame);
        if (tag_seems(f, tag)) {
            if (!pin_frame(frame, warmth)) return kNoFrame;
            if (f.tag == tag && f.state.load().tagged()) return frame;
            unpin_frame(frame);
            return kNoFrame;
        }
        frame = f.chain_next.load(std::memory_order_acquire);
    }
    return kNoFrame;
}

FrameNo find_and_pin_locked(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept {
    FrameNo frame = bucket_of(hash).load(std::memory_order_relaxed);
    for (; frame != kNoFrame; frame = frame_at(frame).chain_next.load(std::memory_order_relaxed)) {
        if (!(frame_at(frame).tag == tag)) continue;
        const bool pinned = pin_frame(frame, warmth);
        GH_ASSERT(pinned);
        return pinned ? frame : kNoFrame;
    }
    return kNoFrame;
}

FrameNo find_and_pin_surely(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept {
    FrameNo frame = find_and_pin(tag, hash, warmth);
    if (frame != kNoFrame) return frame;
    ::LWLockAcquire(partition_of(hash), LW_SHARED);
    frame = find_and_pin_locked(tag, hash, warmth);
    ::LWLockRelease(partition_of(hash));
    return frame;
}

FrameNo find_frame(const PageTag &tag, std::uint32_t hash) noexcept {
    ::LWLockAcquire(partition_of(hash), LW_SHARED);
    FrameNo frame = bucket_of(hash).load(std::memory_order_relaxed);
    while (frame != kNoFrame && !(frame_at(frame).tag == tag))
        frame = frame_at(frame).chain_next.load(std::memory_order_relaxed);
    ::LWLockRelease(partition_of(hash));
    return frame;
}

FrameNo peek_tag(const PageTag &tag, std::uint32_t hash) noexcept {
    FrameNo frame = bucket_of(hash).load(std::memory_order_acquire);
    for (int step = 0; frame != kNoFrame && step < kOptimisticSteps; ++step) {
        const Frame &f = frame_at(frame);
        if (tag_seems(f, tag)) return f.state.load().tagged() ? frame : kNoFrame;
        frame = f.chain_next.load(std::memory_order_acquire);
    }
    return kNoFrame;
}

void insert_frame(FrameNo frame, const PageTag &tag, std::uint32_t hash, bool permanent) noexcept {
    Frame &f = frame_at(frame);
    GH_ASSERT(::LWLockHeldByMeInMode(partition_of(hash), LW_EXCLUSIVE));
    f.tag = tag;
    f.known.store(0, std::memory_order_relaxed);
    f.chain_next.store(bucket_of(hash).load(std::memory_order_relaxed), std::memory_order_release);
    f.state.publish(permanent);
    link_relation(frame);
    bucket_of(hash).store(frame, std::memory_order_release);
}

void remove_frame(FrameNo frame, std::uint32_t hash) noexcept {
    GH_ASSERT(::LWLockHeldByMeInMode(partition_of(hash), LW_EXCLUSIVE));
    std::atomic<FrameNo> *link = &bucket_of(hash);
    for (FrameNo at = link->load(std::memory_order_relaxed); at != frame;
         at = link->load(std::memory_order_relaxed)) {
        GH_ASSERT(at != kNoFrame);
        link = &frame_at(at).chain_next;
    }
    link->store(frame_at(frame).chain_next.load(std::memory_order_relaxed), std::memory_order_release);
    unlink_relation(frame);
}

namespace {

// Calls `visit(frame)` for every frame in range, under the relation's partition lock, while it returns true;
// returns how many frames of the relation were passed.
template <typename Visit>
std::size_t walk_relation(const TagRange &range, Visit visit) noexcept {
    std::size_t walked = 0;
    const std::uint32_t hash = relation_hash(range.file);
    ::LWLockAcquire(relation_partition(hash), LW_SHARED);
    FrameNo frame = pool.relation_heads[hash & pool.relation_mask];
    for (; frame != kNoFrame; frame = frame_at(frame).relation_next) {
        if (!range.same_relation(frame_at(frame).tag)) continue;
        ++walked;
        if (range.contains(frame_at(frame).tag) && !visit(frame)) break;
    }
    ::LWLockRelease(relation_partition(hash));
    return walked;
}

}  // namespace

std::size_t collect_relation(const TagRange &range, FrameAndTag *found, std::size_t capacity) noexcept {
    std::size_t count = 0;
    walk_relation(range, [&](FrameNo frame) noexcept {
        if (count < capacity) found[count] = {frame_at(frame).tag, frame};
        ++count;
        return true;
    });
    return count;
}

Batch collect_batch(const TagRange &range, FrameAndTag *found, std::size_t capacity) noexcept {
    Batch batch = {0, 0};
    batch.walked = walk_relation(range, [&](FrameNo frame) noexcept {
        found[batch.count++] = {frame_at(frame).tag, frame};
        return batch.count < capacity;
    });
    return batch;
}

std::size_t bring_to_front(const TagRange &range) noexcept {
    std::size_t walked = 0;
    const std::uint32_t hash = relation_hash(range.file);
    ::LWLockAcquire(relation_partition(hash), LW_EXCLUSIVE);
    FrameNo &head = pool.relation_heads[hash & pool.relation_mask];
    for (FrameNo frame = head; frame != kNoFrame;) {
        const FrameNo next = frame_at(frame).relation_next;
        if (range.same_relation(frame_at(frame).tag)) ++walked;
        if (range.contains(frame_at(frame).tag)) {
            take_out(head, frame);
            push_front(head, frame);
        }
        frame = next;
    }
    ::LWLockRelease(relation_partition(hash));
    return walked;
}

int collect_frames(const TagRange &range, FrameNo *found, int capacity) noexcept {
    int count = 0;
    walk_relation(range, [&](FrameNo frame) noexcept {
        if (count < capacity) found[count] = frame;
        ++count;
        return true;
    });
    return count;
}

}  // namespace glassheap::buffer
