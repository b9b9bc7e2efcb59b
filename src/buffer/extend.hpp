// buffer/extend.hpp — making a fork longer.
//
// Locking: NewFrames before the relation extension lock, extend() under it (pool.X5).
// Errors: both may longjmp (extend.cpp).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/containers.hpp"
#include "buffer/pool.hpp"

namespace glassheap::buffer {

// Frames for pages that a fork is about to get, claimed while no lock is held (claiming may write another
// page and flush the WAL): one, and of further ones up to `wanted` what can be had at once within this
// process' share of the pool.  In a pool with fewer than two frames a process none: those who wait for locks
// would keep it from everybody else, so extend() claims one.  Abandonable; what is not used goes back.
class NewFrames {
public:
    static constexpr BlockNo kMax = 64;
    NewFrames(Relation rel, BlockNo wanted, AccessRing *ring = nullptr);
    ~NewFrames();
    NewFrames(const NewFrames &) = delete;
    NewFrames &operator=(const NewFrames &) = delete;
    // How many pages it is worth adding at once.
    BlockNo pages() const noexcept { return pages_; }
    // The pages after the first become readable: at once after the extension lock was let go, for whoever has
    // learnt of them waits.
    void publish() noexcept;

private:
    friend PinnedPage extend(Relation rel, ForkNumber fork, BlockNo count, NewFrames *frames);
    FrameNo take() noexcept {
        const FrameNo frame = frames_.back();
        frames_.pop_back();
        return frame;
    }
    PinnedPage add_pages(const ForkRef &ref, BlockNo first, BlockNo count);
    void tag_followers(const ForkRef &ref, BlockNo first, BlockNo count);
    void publish_next() noexcept;

    AccessRing *ring_;
    BlockNo pages_ = 1;
    FixedVector<FrameNo, kMax> frames_;
    FixedVector<FrameNo, kMax> tagged_;  // further pages of the file, I/O in progress
    std::size_t published_ = 0;          // of these, readable
};

// Adds `count` pages to the main fork (or FSM), all zeroed on disk; returns the first, pinned and exclusively
// latched.  As many of the others as there are frames are in the pool, the rest is read when it is wanted;
// none of them is latched: whoever knows the new length may take one.  The caller holds the relation
// extension lock, initialises the page and tells the FSM about the rest.
PinnedPage extend(Relation rel, ForkNumber fork, BlockNo count, NewFrames *frames);

}  // namespace glassheap::buffer
