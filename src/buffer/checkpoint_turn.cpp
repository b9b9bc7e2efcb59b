// buffer/checkpoint_turn.cpp — see buffer/checkpoint_turn.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"

#include "buffer/flush.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/settings.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_guard.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kTurnsBeforeWriteBack = 2;
constexpr std::uint64_t kSlowFlushMicros = 30'000'000;

constinit Holder me = Holder::none;

HolderShared &holder(Holder who) noexcept {
    return pool.shared->holders[static_cast<int>(who)];
}
Holder partner() noexcept {
    return me == Holder::guardian ? Holder::writer : Holder::guardian;
}

// A virtual transaction of our own, never a real one: ending one would lower the flag.
void rotate() noexcept {
    pg::guard_set_lxid(::GetNextLocalTransactionId());
    pg_memory_barrier();
}

void start_guarding() noexcept {
    pg::guard_set_lxid(::GetNextLocalTransactionId());
    pg_memory_barrier();
    MyProc->delayChkptFlags |= DELAY_CHKPT_START;
    pg_memory_barrier();
    holder(me).guarding = true;
    pool.shared->turns_together = 0;
}

void stop_guarding() noexcept {
    holder(me).guarding = false;
    pool.shared->turns_together = 0;
    pg_memory_barrier();
    MyProc->delayChkptFlags &= ~DELAY_CHKPT_START;
    pg::guard_set_lxid(InvalidLocalTransactionId);
}

void note_flush(XLogRecPtr redo, std::size_t pages, TimestampTz began) {
    PoolShared &shared = *pool.shared;
    const TimestampTz now = ::GetCurrentTimestamp();
    const auto micros = static_cast<std::uint64_t>(now - began);
    shared.flushed_redo = redo;
    shared.guardian_flushed_redo.store(redo, std::memory_order_relaxed);
    shared.guardian_flushes.fetch_add(1, std::memory_order_relaxed);
    shared.guardian_pages.fetch_add(pages, std::memory_order_relaxed);
    shared.guardian_write_us.fetch_add(micros, std::memory_order_relaxed);
    shared.guardian_last_flush.store(now, std::memory_order_relaxed);
    if (micros > kSlowFlushMicros)
        ereport(LOG, (errmsg("glassheap: writing " UINT64_FORMAT " pages for a checkpoint took %ld s",
                             static_cast<std::uint64_t>(pages), static_cast<long>(micros / 1'000'000)),
                      errhint("Consider increasing glassheap.writer_max_pages.")));
}

// A lone holder says once why changes are slow.
void complain_if_alone_for_long() {
    constexpr long patience_ms = 30'000;
    static TimestampTz alone_since = 0;
    static bool complained = false;
    const TimestampTz now = ::GetCurrentTimestamp();
    if (holder(partner()).present) {
        alone_since = 0;
        return;
    }
    if (alone_since == 0) alone_since = now;
    if (complained || !::TimestampDifferenceExceeds(alone_since, now, patience_ms)) return;
    complained = true;
    ereport(
        WARNING,
        (errmsg("glassheap writes every changed page at once, because one of its two workers does not run"),
         errhint("Consider increasing max_worker_processes.")));
}

// The turn proper, under the turn lock with both guarding and the partner having gone last.
bool turn() {
    const XLogRecPtr redo = ::GetRedoRecPtr();
    const bool moved = redo != pool.shared->flushed_redo;
    if (moved) {
        const TimestampTz began = ::GetCurrentTimestamp();
        const std::size_t pages = debug_guardian_flush ? flush_every_dirty(checkpoint_flush_after) : 0;
        note_flush(redo, pages, began);
    }
    GH_STOP_POINT("guardian_before_rotate");
    rotate();
    pool.shared->last_turn = static_cast<int>(me);
    pool.shared->guardian_turns.fetch_add(1, std::memory_order_relaxed);
    pool.shared->guardian_last_turn.store(::GetCurrentTimestamp(), std::memory_order_relaxed);
    return moved;
}

void maybe_switch_to_write_back() noexcept {
    if (++pool.shared->turns_together < kTurnsBeforeWriteBack) return;
    pool.shared->turns_together = kTurnsBeforeWriteBack;
    pool.shared->write_back.store(true);
}

// before_shmem_exit: LWLocks of an interrupted turn are released already, and this process is still among
// those the checkpointer waits for.  A page that cannot be written now would be lost: PANIC.
extern "C" void glassheap_leave_turns(int code, Datum arg) {
    (void)code;
    (void)arg;
    if (me == Holder::none || !holder(me).present) return;
    pg::release_all_pins();
    START_CRIT_SECTION();
    ::LWLockAcquire(&pool.shared->turn, LW_EXCLUSIVE);
    pool.shared->write_back.store(false);
    holder(me).present = false;
    holder(me).pid = 0;
    ::LWLockRelease(&pool.shared->turn);
    pg_memory_barrier();
    if (debug_guardian_flush) flush_every_dirty(0);
    ::LWLockAcquire(&pool.shared->turn, LW_EXCLUSIVE);
    if (holder(me).guarding) stop_guarding();
    ::LWLockRelease(&pool.shared->turn);
    END_CRIT_SECTION();
}

}  // namespace

Holder my_holder() noexcept {
    return me;
}

void join_as(Holder who) {
    me = who;
    my_counters = nullptr;
    prepare_flush_space();
    ::before_shmem_exit(glassheap_leave_turns, 0);
    ::LWLockAcquire(&pool.shared->turn, LW_EXCLUSIVE);
    holder(me) = {MyProcPid, MyProc->pgprocno, true, false};
    ::LWLockRelease(&pool.shared->turn);
}

TurnResult take_turn() {
    TurnResult result = {false, false};
    PoolShared &shared = *pool.shared;
    complain_if_alone_for_long();
    ::LWLockAcquire(&shared.turn, LW_EXCLUSIVE);
    if (!holder(partner()).present) {
        // C3: a partner that is leaving has its flag up until it has written everything.
        if (holder(me).guarding && !holder(partner()).guarding) stop_guarding();
    } else if (!holder(me).guarding) {
        start_guarding();
        result.partner_awake = true;
    } else if (holder(partner()).guarding && shared.last_turn != static_cast<int>(me)) {
        result.flushed = turn();
        maybe_switch_to_write_back();
        result.partner_awake = result.flushed;
    }
    ::LWLockRelease(&shared.turn);
    return result;
}

bool is_write_back() noexcept {
    return pool.shared->write_back.load();
}

}  // namespace glassheap::buffer
