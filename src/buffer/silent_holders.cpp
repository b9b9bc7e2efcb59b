// buffer/silent_holders.cpp — see buffer/silent_holders.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/silent_holders.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/partner_watch.hpp"
#include "pg/clock.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace glassheap::buffer {

namespace {

// `checkpoint_awaited` at the beginning of this holder's round.
constinit std::int64_t awaited_in_round = 0;

// Checkpoints wait for no other.
bool does_any_guard() noexcept {
    return pool.shared->holders[0].guarding || pool.shared->holders[1].guarding;
}

std::int64_t last_heard() noexcept {
    std::int64_t heard = 0;
    for (const HolderShared &holder : pool.shared->holders)
        if (holder.present || holder.guarding) heard = std::max(heard, holder.heard.load());
    return heard;
}

std::int64_t silent_for() noexcept {
    return pg::monotonic_ms() - std::max(last_heard(), pool.shared->checkpoint_awaited.load());
}

// Once for all sessions.
bool is_my_turn_to_tell() noexcept {
    const std::int64_t now = pg::monotonic_ms();
    std::int64_t told = pool.shared->silence_told.load();
    if (told != 0 && now - told < kRepeatMs) return false;
    return pool.shared->silence_told.compare_exchange_strong(told, now);
}

// By a signal.  Linux tells; elsewhere, and of one that a debugger holds or that is starved, nobody does.
bool is_stopped(int pid) noexcept {
    char name[32];
    char text[512];
    pg_snprintf(name, sizeof name, "/proc/%d/stat", pid);
    const int file = ::open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t length = ::read(file, text, sizeof text - 1);
    ::close(file);
    text[std::max<ssize_t>(length, 0)] = '\0';
    // "pid (command) state ...", and a command may have any sign.
    const char *command_end = std::strrchr(text, ')');
    return command_end != nullptr && command_end[1] == ' ' && command_end[2] == 'T';
}

}  // namespace

void complain_if_silent() {
    PoolShared &shared = *pool.shared;
    std::int64_t awaited = shared.checkpoint_awaited.load();
    if (!does_any_guard()) {
        (void)shared.checkpoint_awaited.compare_exchange_strong(awaited, 0);
        return;
    }
    const std::int64_t silence = silent_for();
    if (silence < kPatienceMs || !is_my_turn_to_tell()) return;
    for (int i = 0; i < 2; ++i)
        if (shared.holders[i].guarding) complain_of(i, static_cast<long>(silence / 1000));
}

// One that leaves still guards, and may be awake: only who is seen to be stopped is named.
void complain_if_stopped() {
    bool delays[2];
    for (int i = 0; i < 2; ++i) {
        const HolderShared &holder = pool.shared->holders[i];
        const bool stopped = (holder.present || holder.guarding) && is_stopped(holder.pid);
        if (holder.present && !stopped) return;  // he watches the other
        delays[i] = stopped && holder.guarding;
    }
    if ((!delays[0] && !delays[1]) || !is_my_turn_to_tell()) return;
    for (int i = 0; i < 2; ++i)
        if (delays[i]) complain_of_stopped(i);
}

void ask_holders() {
    constexpr int kEvents = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
    constexpr std::int64_t kLongestPauseMs = 100;
    if (pool.shared == nullptr) return;
    const std::int64_t asked = pg::monotonic_ms();
    std::int64_t nobody = 0;
    (void)pool.shared->checkpoint_awaited.compare_exchange_strong(nobody, asked);
    wake_holder(Holder::guardian);
    wake_holder(Holder::writer);
    while (does_any_guard() && last_heard() < asked && silent_for() < kPatienceMs) {
        const std::int64_t pause = std::clamp<std::int64_t>(pg::monotonic_ms() - asked, 1, kLongestPauseMs);
        (void)::WaitLatch(MyLatch, kEvents, static_cast<long>(pause), PG_WAIT_EXTENSION);
        ::ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
    complain_if_silent();
}

void checkpoint_is_awaited() noexcept {
    pool.shared->checkpoint_awaited.store(pg::monotonic_ms());
}

void begin_round() {
    PoolShared &shared = *pool.shared;
    note_heard();
    shared.holders[static_cast<int>(my_holder())].overdue = false;
    awaited_in_round = shared.checkpoint_awaited.load();
    if (shared.silence_told.load() == 0 || shared.silence_told.exchange(0) == 0) return;
    ereport(LOG, (errmsg("glassheap has waited for process %d, which has answered now", MyProcPid)));
}

void no_checkpoint_waits() noexcept {
    if (awaited_in_round == 0) return;
    (void)pool.shared->checkpoint_awaited.compare_exchange_strong(awaited_in_round, 0);
    awaited_in_round = 0;
}

}  // namespace glassheap::buffer
