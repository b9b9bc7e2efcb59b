// pg/resource.hpp — pins of this backend, tagged with the resource owner that has to release them.
//
// Why:    PostgreSQL 15 and 16 have no custom kinds of resources; what abort must give back is kept here
//         and released by one RegisterResourceReleaseCallback.  The table is also the backend's private pin
//         count: the shared count of a frame knows each backend only once.
// Invariants: pool.P1 one entry per (frame, owner); a frame's shared pin exists while any entry of it does.
//         pool.P2 releasing prefers the entry of CurrentResourceOwner, else takes any of the frame: a pin may
//            be dropped while another owner is current.
//         pool.P3 the table never fails while it holds something: room is made before the shared pin is
//         taken.
// Errors: reserve() may longjmp (out of memory); nothing else does.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

struct PinEntry {
    FrameNo frame;
    std::uint32_t count;  // 0: empty slot
    ResourceOwner owner;
};

// Open addressing with linear probing and backward shift.  Usually a handful of entries in 1 KB.
class PinTable {
public:
    // Makes room for one more entry.
    void reserve() {
        if (live_ + 1 > limit_) [[unlikely]]
            grow();
    }
    bool empty() const noexcept { return live_ == 0; }

    // Another pin for CurrentResourceOwner if this backend has the frame pinned already; else false.
    // Precondition: reserve().
    bool add_if_pinned(FrameNo frame) noexcept {
        bool pinned = false;
        std::uint32_t at = home(frame);
        for (; entries_[at].count != 0; at = next(at)) {
            if (entries_[at].frame != frame) continue;
            if (entries_[at].owner == CurrentResourceOwner) {
                ++entries_[at].count;
                return true;
            }
            pinned = true;
        }
        if (pinned) put(at, frame);
        return pinned;
    }
    // The first pin of this backend on the frame.  Precondition: reserve(), not pinned.
    void add_first(FrameNo frame) noexcept {
        std::uint32_t at = home(frame);
        while (entries_[at].count != 0) at = next(at);
        put(at, frame);
    }
    // Takes one pin away.  True: it was this backend's last, the shared pin has to go.
    bool remove(FrameNo frame) noexcept;
    // How many pins this backend has on the frame.
    std::uint32_t count(FrameNo frame) const noexcept {
        std::uint32_t sum = 0;
        for (std::uint32_t at = home(frame); entries_[at].count != 0; at = next(at))
            if (entries_[at].frame == frame) sum += entries_[at].count;
        return sum;
    }
    bool is_pinned(FrameNo frame) const noexcept {
        for (std::uint32_t at = home(frame); entries_[at].count != 0; at = next(at))
            if (entries_[at].frame == frame) return true;
        return false;
    }
    // Any frame pinned by `owner` (with `any`: by anybody); kNoFrame if none.
    FrameNo find_of(ResourceOwner owner, bool any) const noexcept;
    // Empty again after growth: back to the small table.
    void shrink() noexcept;

private:
    static constexpr std::uint32_t kSmall = 64;

    std::uint32_t home(FrameNo frame) const noexcept { return static_cast<std::uint32_t>(frame) & mask_; }
    std::uint32_t next(std::uint32_t at) const noexcept { return (at + 1) & mask_; }
    void put(std::uint32_t at, FrameNo frame) noexcept {
        GH_ASSERT(live_ < limit_);
        entries_[at] = {frame, 1, CurrentResourceOwner};
        ++live_;
    }
    void erase(std::uint32_t at) noexcept;
    void grow();

    PinEntry small_[kSmall] = {};
    PinEntry *entries_ = small_;
    std::uint32_t mask_ = kSmall - 1;
    std::uint32_t live_ = 0;
    std::uint32_t limit_ = kSmall / 2;
};

extern PinTable pin_table;

// What the pool does with it.
struct PinOwner {
    void (*drop_shared_pin)(FrameNo frame) noexcept;  // after the last private pin went
    void (*abort_io)() noexcept;                      // gives up I/O claims an error left behind
    void (*describe)(FrameNo frame, char *buf, std::size_t size) noexcept;
};
void install_pin_owner(const PinOwner &owner);
// Gives everything back, whoever owns it: worker loops after an error, and process exit.
void release_all_pins() noexcept;

}  // namespace glassheap::pg
