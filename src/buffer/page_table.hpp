// buffer/page_table.hpp — from a page's tag to its frame, and from a relation to its frames.
//
// Why:    DROP, TRUNCATE and flushing a relation must cost what the relation has in the pool, not what the
//         pool holds; so every frame hangs in two chains.
// Invariants: pool.T1 a tag is in the page table at most once.
//         pool.T2 a frame is in its relation's chain exactly while it is in the page table.
// Locking: find_and_pin takes no lock: frames never move, so walking a chain that changes can at worst go
//         astray (it is bounded); the pin succeeds only on a tagged frame, and the tag is compared under
//         the pin.  insert and remove need the partition of the tag exclusively.
// Errors: find_and_pin, insert, remove never longjmp; the caller reserved a pin entry.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

inline LWLock *partition_of(std::uint32_t hash) noexcept {
    return &pool.table_locks[hash & (kPartitions - 1)].lock;
}

// The frame of `tag`, pinned, or kNoFrame.  May miss a page that is being inserted or moved in its chain.
FrameNo find_and_pin(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept;
// The same with the partition held (share is enough): never misses.
FrameNo find_and_pin_locked(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept;
// Takes the partition itself where the walk without it finds nothing: never misses.
FrameNo find_and_pin_surely(const PageTag &tag, std::uint32_t hash, Warmth warmth) noexcept;
// Its number, looked up under the partition lock, without a pin.
FrameNo find_frame(const PageTag &tag, std::uint32_t hash) noexcept;
// Without a pin: the answer may be out of date at once.
FrameNo peek_tag(const PageTag &tag, std::uint32_t hash) noexcept;
// Has the processor fetch the first frame of the tag's chain.
inline void touch_chain(std::uint32_t hash) noexcept {
    const FrameNo frame = pool.buckets[hash & pool.bucket_mask].load(std::memory_order_relaxed);
    if (frame != kNoFrame) __builtin_prefetch(&pool.frames[frame]);
}
inline bool is_cached(const PageTag &tag, std::uint32_t hash) noexcept {
    return peek_tag(tag, hash) != kNoFrame;
}

// A held frame takes `tag` and enters both chains; its I/O is the caller's.
void insert_frame(FrameNo frame, const PageTag &tag, std::uint32_t hash, bool permanent) noexcept;
// The frame, already without TAG_VALID, leaves both chains.
void remove_frame(FrameNo frame, std::uint32_t hash) noexcept;

// Frames of a relation file, as of now: stores up to `capacity` of those `wanted` says yes to, and returns
// how many there are.
struct FrameAndTag {
    PageTag tag;
    FrameNo frame;
};
struct TagRange {  // all forks when fork < 0
    pg::RelFile file;
    int fork;
    BlockNo first;

    bool same_relation(const PageTag &tag) const noexcept {
        return tag.relation == pg::number_of(file) && tag.database == pg::database_of(file) &&
               tag.space == pg::tablespace_of(file);
    }
    bool contains(const PageTag &tag) const noexcept {
        return same_relation(tag) &&
               (fork < 0 || (tag.fork == static_cast<std::uint32_t>(fork) && tag.block >= first));
    }
};
std::size_t collect_relation(const TagRange &range, FrameAndTag *found, std::size_t capacity) noexcept;

// The first of them, for who takes out what was found and asks again: the walk ends when `capacity` is
// reached.  With all of them brought to the front of their chain before, no batch walks over other frames.
struct Batch {
    std::size_t count;   // less than the capacity: there are no more
    std::size_t walked;  // how many frames of the relation were passed; neighbours in the chain do not count
};
Batch collect_batch(const TagRange &range, FrameAndTag *found, std::size_t capacity) noexcept;
std::size_t bring_to_front(const TagRange &range) noexcept;  // returns `walked`
int collect_frames(const TagRange &range, FrameNo *found, int capacity) noexcept;

}  // namespace glassheap::buffer
