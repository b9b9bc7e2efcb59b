// buffer/frame_state.hpp — the one word that says what a frame is doing.  Pure.
//
// Why:    pins, usage and flags change together; in one atomic word every change is one compare-and-swap and
//         no frame needs a header lock that an error could leave behind.
//
//   free ──claim──> held ──publish──> reading ──end_read(ok)──> valid <──set_dirty/end_write──> dirty
//    ^                |                  └─(failed)─> tagged, no data ─try_begin_read─┘            |
//    └──release_held──┘<──────────── try_retire (sole pin, clean, no I/O) ─────────── valid        │
//    └────────────── last unpin <── doomed <────────────── doom (relation dropped) ────────────────┘
//   A frame without data goes the ways of a valid one, too: it can be retired, and doomed.
//
// Invariants: pool.F1 TAG_VALID is set exactly while the frame is linked into the page table; it is set and
//            cleared only by a process that holds the page's table partition exclusively.
//         pool.F2 while a pin is held and TAG_VALID was seen under it, the tag is that page until the frame
//            is doomed.
//         pool.F3 DIRTY is cleared only by end_write, after the write returned, and only if nobody dirtied
//            the page since begin (JUST_DIRTIED); or by doom.
//         pool.F4 at most one process has the I/O (IO_IN_PROGRESS); the others wait for it.
//         pool.F5 a doomed frame is in no table, is never written, and is freed by whoever drops its last
//         pin.
//         pool.F6 OUTDATED says that the page's file has, or will have, a version that others made
//            (core_copies): it is never written there, nobody begins a change of it, and it stays until the
//            frame holds another page.  Set with a pin.
// Errors: never longjmps; preconditions are asserted.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.hpp"

namespace glassheap::buffer {

// What a load or a transition saw.
struct StateBits {
    std::uint32_t word;

    static constexpr std::uint32_t kPinMask = (1U << 18) - 1;
    static constexpr std::uint32_t kUsageShift = 18;
    static constexpr std::uint32_t kUsageOne = 1U << kUsageShift;
    static constexpr std::uint32_t kUsageMask = 0x0FU << kUsageShift;
    static constexpr std::uint32_t kUsageMax = 5;
    static constexpr std::uint32_t kTagValid = 1U << 22;
    static constexpr std::uint32_t kDataValid = 1U << 23;
    static constexpr std::uint32_t kDirty = 1U << 24;
    static constexpr std::uint32_t kJustDirtied = 1U << 25;
    static constexpr std::uint32_t kIoInProgress = 1U << 26;
    static constexpr std::uint32_t kIoError = 1U << 27;
    static constexpr std::uint32_t kDoomed = 1U << 28;
    static constexpr std::uint32_t kCleanupWaiter = 1U << 29;
    static constexpr std::uint32_t kPermanent = 1U << 30;
    static constexpr std::uint32_t kOutdated = 1U << 31;

    constexpr std::uint32_t pins() const noexcept { return word & kPinMask; }
    constexpr std::uint32_t usage() const noexcept { return (word & kUsageMask) >> kUsageShift; }
    constexpr bool has(std::uint32_t flags) const noexcept { return (word & flags) == flags; }
    constexpr bool tagged() const noexcept { return has(kTagValid); }
    constexpr bool valid() const noexcept { return has(kTagValid | kDataValid); }
    constexpr bool outdated() const noexcept { return has(kOutdated); }
    // A page to begin something with.
    constexpr bool usable() const noexcept {
        constexpr std::uint32_t kWanted = kTagValid | kDataValid;
        return (word & (kWanted | kOutdated)) == kWanted;
    }
    constexpr bool dirty() const noexcept { return has(kDirty); }
    // A write of it failed, and none has succeeded since (buffer/left_pages).
    constexpr bool left() const noexcept { return has(kDirty | kIoError); }
    constexpr bool io() const noexcept { return has(kIoInProgress); }
    constexpr bool doomed() const noexcept { return has(kDoomed); }
    constexpr bool permanent() const noexcept { return has(kPermanent); }
};

// How a pin counts as use: an ordinary access makes the page hotter, one through a ring keeps it lukewarm
// (recyclable by its ring), a maintenance pin leaves no trace.
enum class Warmth : std::uint8_t { none, ring, normal };

enum class BeginIo : std::uint8_t {
    begun,    // the caller has the I/O and must end it
    busy,     // somebody else has it: wait and ask again
    nothing,  // not needed (any more)
};
enum class CleanupWait : std::uint8_t {
    alone,  // the caller's pin is the only one
    waits,  // the flag is the caller's now
    taken,  // somebody waits already
};
enum class Doom : std::uint8_t {
    held,    // nobody had it pinned: it is the caller's now (one pin, no tag), to be freed
    doomed,  // dies at its last unpin
    busy,    // I/O in progress: wait and ask again
};

class FrameState {
public:
    StateBits load() const noexcept { return {word_.load(std::memory_order_acquire)}; }
    void reset() noexcept { word_.store(0, std::memory_order_release); }

    // ---- pins
    // Pins a frame that is in the page table; false: it is not (any more).
    bool try_pin(Warmth warmth) noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            if ((seen & StateBits::kTagValid) == 0) return false;
            if (exchange(seen, warmed(seen, warmth) + 1)) return true;
        }
    }
    // Drops a pin; returns the state after it.
    StateBits unpin() noexcept {
        const std::uint32_t before = word_.fetch_sub(1, std::memory_order_acq_rel);
        GH_ASSERT((before & StateBits::kPinMask) != 0);
        return {before - 1};
    }
    // Sets the waiter flag while others have pins.  The flag stays until its owner takes it back, so that a
    // second process that wants to wait (and would, with its pin, be waited for) sees it.
    CleanupWait try_wait_for_cleanup() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            if (StateBits{seen}.pins() <= 1) return CleanupWait::alone;
            if ((seen & StateBits::kCleanupWaiter) != 0) return CleanupWait::taken;
            if (exchange(seen, seen | StateBits::kCleanupWaiter)) return CleanupWait::waits;
        }
    }
    // By the flag's owner, while it has its pin.
    void end_cleanup_wait() noexcept {
        const std::uint32_t before = word_.fetch_and(~StateBits::kCleanupWaiter, std::memory_order_acq_rel);
        GH_ASSERT((before & StateBits::kCleanupWaiter) != 0);
        (void)before;
    }

    // ---- replacement
    // One visit of the clock hand.  True: idle and cold, and now pinned by the caller.
    bool sweep() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            const StateBits bits{seen};
            if (bits.pins() != 0 || bits.doomed()) return false;
            const bool warm = bits.usage() > 0;
            if (exchange(seen, warm ? seen - StateBits::kUsageOne : seen + 1)) return !warm;
        }
    }
    // Pins an unpinned frame whose usage is at most `warmest` (ring reuse, free list).
    bool try_claim(std::uint32_t warmest) noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            const StateBits bits{seen};
            if (bits.pins() != 0 || bits.usage() > warmest || bits.doomed()) return false;
            if (exchange(seen, seen + 1)) return true;
        }
    }
    // With the partition exclusive: a clean frame of which the caller has the only pin leaves the table.
    bool try_retire() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            const StateBits bits{seen};
            if (bits.pins() != 1 || bits.dirty() || bits.io()) return false;
            if (exchange(seen, 1)) return true;
        }
    }
    // With the partition exclusive: a held frame enters the table; the caller has its I/O.
    void publish(bool permanent) noexcept {
        GH_ASSERT(load().word == 1);
        word_.store(1U | StateBits::kUsageOne | StateBits::kTagValid | StateBits::kIoInProgress |
                        (permanent ? StateBits::kPermanent : 0U),
                    std::memory_order_release);
    }
    // With the partition exclusive: the page's relation is gone.
    Doom doom() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            const StateBits bits{seen};
            if (bits.io()) return Doom::busy;
            if (bits.pins() == 0) {
                if (exchange(seen, 1)) return Doom::held;
            } else {
                constexpr std::uint32_t kGone = StateBits::kTagValid | StateBits::kDirty |
                                                StateBits::kJustDirtied | StateBits::kPermanent |
                                                StateBits::kIoError;
                if (exchange(seen, (seen & ~kGone) | StateBits::kDoomed)) return Doom::doomed;
            }
        }
    }

    // ---- data (the caller has a pin)
    // Marks dirty; true: it was clean.  Orders the mark before what the caller reads next (pool.D1).
    bool set_dirty() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            if (StateBits{seen}.doomed()) return false;
            if (word_.compare_exchange_weak(seen, seen | StateBits::kDirty | StateBits::kJustDirtied,
                                            std::memory_order_seq_cst, std::memory_order_relaxed))
                return (seen & StateBits::kDirty) == 0;
        }
    }
    // As if a write of it had failed.
    void note_left() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while (StateBits{seen}.dirty() && !exchange(seen, seen | StateBits::kIoError)) {
        }
    }
    // Nothing on a frame that is in no table: nobody finds or writes that one.
    void note_outdated() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while (StateBits{seen}.tagged() && !exchange(seen, seen | StateBits::kOutdated)) {
        }
    }
    BeginIo try_begin_read() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        for (;;) {
            const StateBits bits{seen};
            if (bits.io()) return BeginIo::busy;
            if (bits.has(StateBits::kDataValid) || !bits.tagged()) return BeginIo::nothing;
            if (exchange(seen, (seen | StateBits::kIoInProgress) & ~StateBits::kIoError))
                return BeginIo::begun;
        }
    }
    void end_read(bool ok) noexcept {
        end_io(StateBits::kIoInProgress, ok ? StateBits::kDataValid : StateBits::kIoError);
    }
    BeginIo try_begin_write() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        for (;;) {
            const StateBits bits{seen};
            if (!bits.has(StateBits::kTagValid | StateBits::kDataValid | StateBits::kDirty))
                return BeginIo::nothing;
            if (bits.io()) return BeginIo::busy;
            if (exchange(seen, (seen | StateBits::kIoInProgress) & ~StateBits::kJustDirtied))
                return BeginIo::begun;
        }
    }
    void end_write(bool ok) noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            GH_ASSERT(StateBits{seen}.io());
            std::uint32_t next = seen & ~(StateBits::kIoInProgress | StateBits::kIoError);
            if (!ok)
                next |= StateBits::kIoError;
            else if ((seen & StateBits::kJustDirtied) == 0)
                next &= ~StateBits::kDirty;
            if (exchange(seen, next)) return;
        }
    }

private:
    static constexpr std::uint32_t warmed(std::uint32_t word, Warmth warmth) noexcept {
        const std::uint32_t usage = StateBits{word}.usage();
        if (warmth == Warmth::normal && usage < StateBits::kUsageMax) return word + StateBits::kUsageOne;
        if (warmth == Warmth::ring && usage == 0) return word + StateBits::kUsageOne;
        return word;
    }
    bool exchange(std::uint32_t &seen, std::uint32_t next) noexcept {
        return word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
    void end_io(std::uint32_t clear, std::uint32_t set) noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        for (;;) {
            GH_ASSERT(StateBits{seen}.io());
            if (exchange(seen, (seen & ~clear) | set)) return;
        }
    }

    std::atomic<std::uint32_t> word_{0};
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(FrameState) == 4);

}  // namespace glassheap::buffer
