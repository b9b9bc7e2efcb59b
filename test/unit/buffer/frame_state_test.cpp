// test/unit/buffer/frame_state_test.cpp — every transition of a frame's state word, alone and by threads
//         at once.
// SPDX-License-Identifier: PostgreSQL
#include "buffer/frame_state.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace glassheap::buffer {
namespace {

// A frame as it leaves find_or_insert: one pin, in the table, its read is the caller's.
void make_loading(FrameState *state, bool permanent = true) {
    ASSERT_TRUE(state->try_claim(0));
    state->publish(permanent);
}
void make_valid(FrameState *state) {
    make_loading(state);
    state->end_read(true);
}

TEST(FrameState, starts_free) {
    FrameState state;
    EXPECT_EQ(state.load().word, 0U);
    EXPECT_FALSE(state.try_pin(Warmth::normal));  // not in the table
}

TEST(FrameState, publish_gives_the_claimer_the_read) {
    FrameState state;
    make_loading(&state);
    const StateBits bits = state.load();
    EXPECT_EQ(bits.pins(), 1U);
    EXPECT_EQ(bits.usage(), 1U);
    EXPECT_TRUE(bits.tagged());
    EXPECT_TRUE(bits.io());
    EXPECT_TRUE(bits.permanent());
    EXPECT_FALSE(bits.valid());
    EXPECT_EQ(state.try_begin_read(), BeginIo::busy);
    state.end_read(true);
    EXPECT_TRUE(state.load().valid());
    EXPECT_FALSE(state.load().io());
    EXPECT_EQ(state.try_begin_read(), BeginIo::nothing);
}

TEST(FrameState, unlogged_pages_are_not_permanent) {
    FrameState state;
    make_loading(&state, false);
    EXPECT_FALSE(state.load().permanent());
}

TEST(FrameState, failed_read_is_taken_over) {
    FrameState state;
    make_loading(&state);
    state.end_read(false);
    EXPECT_TRUE(state.load().tagged());
    EXPECT_FALSE(state.load().valid());
    EXPECT_TRUE(state.load().has(StateBits::kIoError));
    EXPECT_EQ(state.try_begin_read(), BeginIo::begun);
    EXPECT_FALSE(state.load().has(StateBits::kIoError));
    state.end_read(true);
    EXPECT_TRUE(state.load().valid());
}

TEST(FrameState, usage_follows_warmth) {
    FrameState state;
    make_valid(&state);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(state.try_pin(Warmth::normal));
    EXPECT_EQ(state.load().usage(), StateBits::kUsageMax);
    EXPECT_EQ(state.load().pins(), 11U);

    FrameState ring;
    make_valid(&ring);
    ring.unpin();
    EXPECT_FALSE(ring.sweep());  // usage 1 -> 0
    ASSERT_TRUE(ring.try_pin(Warmth::none));
    EXPECT_EQ(ring.load().usage(), 0U);
    ASSERT_TRUE(ring.try_pin(Warmth::ring));
    ASSERT_TRUE(ring.try_pin(Warmth::ring));
    EXPECT_EQ(ring.load().usage(), 1U);
}

TEST(FrameState, sweep_takes_only_idle_cold_frames) {
    FrameState state;
    make_valid(&state);
    EXPECT_FALSE(state.sweep());  // pinned: untouched
    EXPECT_EQ(state.load().usage(), 1U);
    state.unpin();
    EXPECT_FALSE(state.sweep());  // warm: cools down
    EXPECT_EQ(state.load().usage(), 0U);
    EXPECT_TRUE(state.sweep());
    EXPECT_EQ(state.load().pins(), 1U);
    EXPECT_TRUE(state.load().valid());  // still the old page, until it is retired
}

TEST(FrameState, ring_claims_lukewarm_frames) {
    FrameState state;
    make_valid(&state);
    EXPECT_FALSE(state.try_claim(1));  // pinned
    ASSERT_TRUE(state.try_pin(Warmth::normal));
    state.unpin();
    state.unpin();
    EXPECT_EQ(state.load().usage(), 2U);
    EXPECT_FALSE(state.try_claim(1));
    EXPECT_TRUE(state.try_claim(2));
}

TEST(FrameState, retire_needs_sole_pin_clean_and_quiet) {
    FrameState state;
    make_loading(&state);
    EXPECT_FALSE(state.try_retire());  // I/O
    state.end_read(true);
    ASSERT_TRUE(state.try_pin(Warmth::normal));
    EXPECT_FALSE(state.try_retire());  // two pins
    state.unpin();
    EXPECT_TRUE(state.set_dirty());
    EXPECT_FALSE(state.try_retire());  // dirty
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(true);
    EXPECT_TRUE(state.try_retire());
    EXPECT_EQ(state.load().word, 1U);
    EXPECT_FALSE(state.try_pin(Warmth::normal));
}

TEST(FrameState, write_clears_dirty_only_if_nobody_dirtied_meanwhile) {
    FrameState state;
    make_valid(&state);
    EXPECT_EQ(state.try_begin_write(), BeginIo::nothing);
    EXPECT_TRUE(state.set_dirty());
    EXPECT_FALSE(state.set_dirty());  // was dirty already
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    EXPECT_EQ(state.try_begin_write(), BeginIo::busy);
    EXPECT_FALSE(state.set_dirty());
    state.end_write(true);
    EXPECT_TRUE(state.load().dirty());
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(true);
    EXPECT_FALSE(state.load().dirty());
}

TEST(FrameState, failed_write_stays_dirty) {
    FrameState state;
    make_valid(&state);
    state.set_dirty();
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(false);
    EXPECT_TRUE(state.load().dirty());
    EXPECT_TRUE(state.load().has(StateBits::kIoError));
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(true);
    EXPECT_FALSE(state.load().dirty());
    EXPECT_FALSE(state.load().has(StateBits::kIoError));
}

TEST(FrameState, an_outdated_page_is_not_usable_until_the_frame_is_another_s) {
    FrameState state;
    make_valid(&state);
    EXPECT_TRUE(state.load().usable());
    state.note_outdated();
    EXPECT_TRUE(state.load().valid());
    EXPECT_TRUE(state.load().outdated());
    EXPECT_FALSE(state.load().usable());
    state.set_dirty();
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(true);
    ASSERT_TRUE(state.try_pin(Warmth::normal));
    state.unpin();
    EXPECT_TRUE(state.load().outdated());
    ASSERT_TRUE(state.try_retire());
    EXPECT_EQ(state.load().word, 1U);
    state.publish(false);
    EXPECT_FALSE(state.load().outdated());
}

TEST(FrameState, a_doomed_page_stays_outdated_and_is_not_noted_anew) {
    FrameState state;
    make_valid(&state);
    state.note_outdated();
    ASSERT_EQ(state.doom(), Doom::doomed);
    EXPECT_TRUE(state.load().outdated());
    EXPECT_FALSE(state.load().usable());
    FrameState other;
    make_valid(&other);
    ASSERT_EQ(other.doom(), Doom::doomed);
    other.note_outdated();
    EXPECT_FALSE(other.load().outdated());
    state.unpin();
    state.reset();
    EXPECT_EQ(state.load().word, 0U);
}

TEST(FrameState, doom_of_an_idle_frame_hands_it_over) {
    FrameState state;
    make_valid(&state);
    state.set_dirty();
    state.unpin();
    EXPECT_EQ(state.doom(), Doom::held);
    EXPECT_EQ(state.load().word, 1U);
}

TEST(FrameState, doom_waits_for_io) {
    FrameState state;
    make_valid(&state);
    state.set_dirty();
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    EXPECT_EQ(state.doom(), Doom::busy);
    state.end_write(true);
    EXPECT_EQ(state.doom(), Doom::doomed);
}

TEST(FrameState, doomed_frames_are_never_written_nor_dirtied_nor_found) {
    FrameState state;
    make_valid(&state);
    state.set_dirty();
    ASSERT_EQ(state.doom(), Doom::doomed);
    EXPECT_FALSE(state.load().dirty());
    EXPECT_FALSE(state.set_dirty());
    EXPECT_FALSE(state.load().dirty());
    EXPECT_EQ(state.try_begin_write(), BeginIo::nothing);
    EXPECT_EQ(state.try_begin_read(), BeginIo::nothing);
    EXPECT_FALSE(state.try_pin(Warmth::normal));
    const StateBits after = state.unpin();
    EXPECT_TRUE(after.doomed());
    EXPECT_EQ(after.pins(), 0U);
    EXPECT_FALSE(state.sweep());  // the last unpinner frees it, nobody else
    EXPECT_FALSE(state.try_claim(5));
}

TEST(FrameState, one_waits_for_cleanup_at_a_time) {
    FrameState state;
    make_valid(&state);
    EXPECT_EQ(state.try_wait_for_cleanup(), CleanupWait::alone);
    ASSERT_TRUE(state.try_pin(Warmth::normal));
    EXPECT_EQ(state.try_wait_for_cleanup(), CleanupWait::waits);
    EXPECT_EQ(state.try_wait_for_cleanup(), CleanupWait::taken);  // the second one's pin is waited for
    const StateBits after = state.unpin();
    EXPECT_EQ(after.pins(), 1U);
    EXPECT_TRUE(after.has(StateBits::kCleanupWaiter));  // so the unpinner wakes the waiter
    EXPECT_EQ(state.try_wait_for_cleanup(), CleanupWait::alone);
    state.end_cleanup_wait();
    EXPECT_FALSE(state.load().has(StateBits::kCleanupWaiter));
    ASSERT_TRUE(state.try_pin(Warmth::normal));
    EXPECT_EQ(state.try_wait_for_cleanup(), CleanupWait::waits);  // another time, another waiter
}

// ---- by threads

TEST(FrameStateThreads, pins_balance) {
    FrameState state;
    make_valid(&state);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&state] {
            for (int i = 0; i < 50000; ++i) {
                ASSERT_TRUE(state.try_pin(i % 2 == 0 ? Warmth::normal : Warmth::ring));
                state.unpin();
            }
        });
    for (auto &thread : threads) thread.join();
    EXPECT_EQ(state.load().pins(), 1U);
}

// Whoever retires a frame has it alone: the "tag" is changed without another guard, as a frame's tag is.
TEST(FrameStateThreads, retire_excludes_pins) {
    FrameState state;
    std::atomic<int> tag{0};
    std::atomic<int> retired{0};
    std::atomic<bool> stop{false};
    make_valid(&state);
    state.unpin();
    std::vector<std::thread> readers;
    for (int t = 0; t < 3; ++t)
        readers.emplace_back([&] {
            while (!stop.load()) {
                if (!state.try_pin(Warmth::none)) continue;
                const int before = tag.load();
                for (int i = 0; i < 20; ++i) ASSERT_EQ(tag.load(), before);
                state.unpin();
            }
        });
    while (retired.load() < 2000) {
        if (!state.sweep()) continue;
        if (!state.try_retire()) {
            state.unpin();
            continue;
        }
        tag.fetch_add(1);
        state.publish(true);
        state.end_read(true);
        state.unpin();
        retired.fetch_add(1);
    }
    stop.store(true);
    for (auto &reader : readers) reader.join();
    EXPECT_EQ(state.load().pins(), 0U);
}

// A page is left while its last write failed; one that is clean never is.
TEST(FrameState, a_failed_write_leaves_the_page_until_one_succeeds) {
    FrameState state;
    make_valid(&state);
    state.note_left();
    EXPECT_FALSE(state.load().left());
    state.set_dirty();
    EXPECT_FALSE(state.load().left());
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    state.end_write(false);
    EXPECT_TRUE(state.load().left());
    state.set_dirty();
    ASSERT_EQ(state.try_begin_write(), BeginIo::begun);
    EXPECT_TRUE(state.load().left());
    state.end_write(true);
    EXPECT_FALSE(state.load().left());
    state.set_dirty();
    state.note_left();
    EXPECT_TRUE(state.load().left());
}

// A change is on "disk" or the frame is dirty: never neither.
TEST(FrameStateThreads, no_change_is_lost_between_writers_and_flushers) {
    FrameState state;
    std::atomic<int> memory{0};
    std::atomic<int> disk{0};
    std::atomic<bool> stop{false};
    make_valid(&state);
    std::thread flusher([&] {
        while (!stop.load()) {
            if (state.try_begin_write() != BeginIo::begun) continue;
            disk.store(memory.load());
            state.end_write(true);
        }
    });
    for (int i = 1; i <= 100000; ++i) {
        memory.store(i);
        state.set_dirty();
        if (!state.load().dirty()) {
            ASSERT_GE(disk.load(), i);
        }
    }
    stop.store(true);
    flusher.join();
    if (!state.load().dirty()) {
        EXPECT_EQ(disk.load(), 100000);
    }
}

// Exactly one of many unpinners sees the doomed frame's count reach nothing.
TEST(FrameStateThreads, one_process_frees_a_doomed_frame) {
    for (int round = 0; round < 500; ++round) {
        FrameState state;
        make_valid(&state);
        std::array<std::thread, 3> threads;
        for (std::size_t i = 1; i < threads.size(); ++i) ASSERT_TRUE(state.try_pin(Warmth::normal));
        ASSERT_EQ(state.doom(), Doom::doomed);
        std::atomic<int> frees{0};
        for (auto &thread : threads)
            thread = std::thread([&] {
                const StateBits after = state.unpin();
                if (after.doomed() && after.pins() == 0) frees.fetch_add(1);
            });
        for (auto &thread : threads) thread.join();
        ASSERT_EQ(frees.load(), 1);
    }
}

}  // namespace
}  // namespace glassheap::buffer
