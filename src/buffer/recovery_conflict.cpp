// buffer/recovery_conflict.cpp — the startup process of a hot standby waits for a cleanup latch, or a frame.
//
// Why:    core's machinery asks backends about pins in shared_buffers; ours are shown in ProcessSlot::pins
//         while the server is in recovery.
// Invariants: recovery.K1 after max_standby_*_delay everybody who has the frame pinned is cancelled, again
//            and again until the pins are gone.
//         recovery.K2 after deadlock_timeout those among them who wait for a lock are: replay may be what
//         holds it.
//         recovery.K3 where every frame is pinned, the frame in question is any: an error would end the
//            server.
//         recovery.K4 who is cancelled for pins says so: core knows of none, so he is told that it is for his
//            snapshot, and words and counts it as such; explain_pin_conflict puts that right.
// Errors: answers interrupts of the startup process.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/pool_internal.hpp"
#include "pg/pg_process.hpp"
#include "pg/pg_recovery.hpp"

namespace glassheap::buffer {

namespace {

constexpr long kCancelIntervalMs = 5;

// When waiting ends; 0: never.
TimestampTz standby_limit() {
    TimestampTz received;
    bool streaming;
    ::GetXLogReceiptTime(&received, &streaming);
    const int delay = streaming ? max_standby_streaming_delay : max_standby_archive_delay;
    return delay < 0 ? 0 : TimestampTzPlusMilliseconds(received, delay);
}

// kNoFrame: of any frame.
bool shows_pin(const ProcessSlot &slot, FrameNo frame) noexcept {
    if (slot.pins_unlisted.load() > 0) return true;
    for (const auto &pin : slot.pins) {
        const FrameNo shown = pin.load() - 1;
        if (frame == kNoFrame ? shown != kNoFrame : shown == frame) return true;
    }
    return false;
}

// What the startup process tells whom it cancels (ProcessSlot::cancelled; 0: nothing); it outlives both.
std::uint64_t pin_conflict(pg::RunningTransaction transaction, ProcSignalReason reason) noexcept {
    return transaction << 8 | static_cast<std::uint64_t>(reason);
}

void cancel_holders(FrameNo frame, ProcSignalReason reason) {
    const bool only_lock_waiters = reason == PROCSIG_RECOVERY_CONFLICT_STARTUP_DEADLOCK;
    for (int i = 0; i < pool.process_count; ++i) {
        if (pg::is_my_process(i)) continue;
        // Before the pins: who has let go of them and begun anew is not meant.
        const pg::RunningTransaction transaction = pg::transaction_of(i);
        if (transaction == 0 || !shows_pin(pool.processes[i], frame)) continue;
        if (only_lock_waiters && !pg::waits_for_lock(i)) continue;
        pool.processes[i].cancelled.store(pin_conflict(transaction, reason));
        pg::cancel_transaction(transaction);
    }
}

// This session's transaction that was cancelled for pins last.  It may be signalled once more while it ends,
// and runs none then.
pg::RunningTransaction cancelled_for_pins = 0;

long milliseconds_until(TimestampTz when, TimestampTz now) noexcept {
    return ::TimestampDifferenceMilliseconds(now, when) + 1;
}

// Cancels whom the delays say by now; returns in how many milliseconds to look again.
long cancel_as_due(FrameNo frame, TimestampTz waiting_since, bool *logged) {
    const TimestampTz now = ::GetCurrentTimestamp();
    const TimestampTz limit = standby_limit();
    const TimestampTz deadlock_check = TimestampTzPlusMilliseconds(waiting_since, DeadlockTimeout);
    long sleep_ms = DeadlockTimeout;
    if (limit != 0 && now >= limit) {
        cancel_holders(frame, PROCSIG_RECOVERY_CONFLICT_BUFFERPIN);
        sleep_ms = kCancelIntervalMs;
    } else {
        if (now >= deadlock_check)
            cancel_holders(frame, PROCSIG_RECOVERY_CONFLICT_STARTUP_DEADLOCK);
        else
            sleep_ms = milliseconds_until(deadlock_check, now);
        if (limit != 0) sleep_ms = std::min(sleep_ms, milliseconds_until(limit, now));
    }
    if (log_recovery_conflict_waits && !*logged && now >= deadlock_check) {
        ::LogRecoveryConflict(PROCSIG_RECOVERY_CONFLICT_BUFFERPIN, waiting_since, now, nullptr, true);
        *logged = true;
    }
    return sleep_ms;
}

}  // namespace

void wait_while_pinned_in_recovery(FrameNo frame, TimestampTz waiting_since, bool *logged) {
    const long sleep_ms = cancel_as_due(frame, waiting_since, logged);
    ::ConditionVariableTimedSleep(&frame_at(frame).waiters, sleep_ms, PG_WAIT_BUFFER_PIN);
}

void end_pins_in_recovery(TimestampTz waiting_since, bool *logged) {
    cancel_as_due(kNoFrame, waiting_since, logged);
}

void explain_pin_conflict(ErrorData *message) {
    const ProcessSlot *slot = my_process_slot();
    if (slot == nullptr || !pg::is_snapshot_conflict(*message)) return;
    const std::uint64_t told = slot->cancelled.load();
    const pg::RunningTransaction running = pg::transaction_of(pg::my_process_number());
    const pg::RunningTransaction meant = running != 0 ? running : cancelled_for_pins;
    cancelled_for_pins = 0;
    if (meant == 0) return;
    for (const ProcSignalReason reason :
         {PROCSIG_RECOVERY_CONFLICT_BUFFERPIN, PROCSIG_RECOVERY_CONFLICT_STARTUP_DEADLOCK}) {
        if (told != pin_conflict(meant, reason)) continue;
        cancelled_for_pins = meant;
        pg::recount_conflict(reason);
        message->detail = ::pstrdup(pg::detail_of_pin_conflict(reason));
    }
}

}  // namespace glassheap::buffer
