// worker/pool_workers.cpp — the checkpoint guardian and the pool writer.
//
// Why:    both hold checkpoints and take turns (buffer/checkpoint_turn.hpp); the writer also writes cold
// dirty
//         pages ahead of the clock hand, so that backends find clean victims and checkpoints little to do.
// Invariants: on a standby none of them runs: redo flushes at checkpoint records (wal/).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/flush.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/settings.hpp"
#include "buffer/setup.hpp"
#include "pg/pg_worker.hpp"
#include "worker/worker_loop.hpp"

namespace glassheap::worker {

namespace {

using buffer::Holder;

// After a turn that flushed, checkpoints wait for one more turn of each: hurry for a while.
constexpr long kHurryMs = 2;
constexpr int kHurryTurns = 50;
constinit int hurry = 0;

long sleep_after_turn(Holder partner) {
    const buffer::TurnResult turn = buffer::take_turn();
    if (turn.flushed) hurry = kHurryTurns;
    if (turn.partner_awake) {
        const auto &other = buffer::pool.shared->holders[static_cast<int>(partner)];
        if (other.present) wake(other.procno);
    }
    if (turn.flushed) ::smgrcloseall();
    if (hurry == 0) return buffer::guardian_delay_ms;
    --hurry;
    return std::min<long>(kHurryMs, buffer::guardian_delay_ms);
}

void start_guardian() {
    buffer::join_as(Holder::guardian);
}
void start_writer() {
    buffer::join_as(Holder::writer);
}

long guardian_round() {
    return sleep_after_turn(Holder::writer);
}

// ---- the writer's rounds
constexpr int kLeastAhead = 64;
constexpr std::uint64_t kForesight = 4;  // times the frames asked for since the last round

int frames_ahead() noexcept {
    static std::uint64_t last = 0;
    static std::uint64_t smoothed = 0;
    const std::uint64_t now = buffer::pool.shared->allocations.load(std::memory_order_relaxed);
    const std::uint64_t recent = now - std::exchange(last, now);
    smoothed = recent > smoothed ? recent : (smoothed * 15 + recent) / 16;
    const std::uint64_t wanted = std::max<std::uint64_t>(kLeastAhead, smoothed * kForesight);
    return static_cast<int>(std::min<std::uint64_t>(wanted, static_cast<std::uint64_t>(INT_MAX / 2)));
}

void write_ahead() {
    buffer::PoolShared &shared = *buffer::pool.shared;
    const int ahead = frames_ahead();
    const buffer::TrickleResult done = buffer::trickle(ahead, buffer::writer_max_pages, bgwriter_flush_after);
    shared.writer_rounds.fetch_add(1, std::memory_order_relaxed);
    shared.writer_pages.fetch_add(done.written, std::memory_order_relaxed);
    if (done.hit_limit) shared.writer_stops.fetch_add(1, std::memory_order_relaxed);
    shared.writer_ahead.store(done.reusable, std::memory_order_relaxed);
    shared.writer_last_round.store(::GetCurrentTimestamp(), std::memory_order_relaxed);
}

long writer_round() {
    static TimestampTz next = 0;
    const long sleep_ms = sleep_after_turn(Holder::guardian);
    const TimestampTz now = ::GetCurrentTimestamp();
    if (now < next) return sleep_ms;
    next = TimestampTzPlusMilliseconds(now, buffer::writer_delay_ms);
    if (buffer::writer_max_pages > 0) write_ahead();
    return sleep_ms;
}

void register_one(const char *what, const char *function) {
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 1;
    ::strlcpy(worker.bgw_name, what, sizeof worker.bgw_name);
    ::strlcpy(worker.bgw_type, what, sizeof worker.bgw_type);
    ::strlcpy(worker.bgw_library_name, "glassheap", sizeof worker.bgw_library_name);
    ::strlcpy(worker.bgw_function_name, function, sizeof worker.bgw_function_name);
    ::RegisterBackgroundWorker(&worker);
}

}  // namespace

}  // namespace glassheap::worker

extern "C" {

PGDLLEXPORT void glassheap_guardian_main(Datum arg);
PGDLLEXPORT void glassheap_pool_writer_main(Datum arg);

void glassheap_guardian_main(Datum arg) {
    using namespace glassheap::worker;
    (void)arg;
    run_loop({"glassheap checkpoint guardian", start_guardian, guardian_round});
}

void glassheap_pool_writer_main(Datum arg) {
    using namespace glassheap::worker;
    (void)arg;
    run_loop({"glassheap pool writer", start_writer, writer_round});
}

}  // extern "C"

namespace glassheap::buffer {

void register_workers() {
    worker::register_one("glassheap checkpoint guardian", "glassheap_guardian_main");
    worker::register_one("glassheap pool writer", "glassheap_pool_writer_main");
}

}  // namespace glassheap::buffer
