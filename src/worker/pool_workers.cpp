// worker/pool_workers.cpp — the checkpoint guardian and the pool writer.
//
// Why:    both hold checkpoints and take turns (buffer/checkpoint_turn.hpp); the writer also writes cold
//         dirty pages ahead of the clock hand, so that backends find clean victims and checkpoints little
//         to do.
// Invariants: on a standby none of them runs: redo flushes at checkpoint records (wal/).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/flush.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/settings.hpp"
#include "buffer/setup.hpp"
#include "buffer/silent_holders.hpp"
#include "debug/stop_points.hpp"
#include "pg/clock.hpp"
#include "pg/pg_smgr.hpp"
#include "pg/pg_worker.hpp"
#include "worker/setup.hpp"
#include "worker/worker_loop.hpp"

namespace glassheap::worker {

namespace {

using buffer::Holder;

// After a turn that flushed, checkpoints wait for one more turn of each: hurry for a while.
constexpr long kHurryMs = 2;
constexpr int kHurryTurns = 50;
constinit int hurry = 0;
// The checkpointer wakes us, so there is no need to look often.  This is for what slips through: for a while
// after each checkpoint, which may need more turns than we hurried for; then for a lost announcement.
constexpr long kAnnouncedMs = 500;
constexpr long kAlertMs = 5'000;
constexpr long kSettledMs = 10'000;
constexpr long kOpenMs = 50;  // while somebody reads a page of ours

long nap_between_checkpoints(bool settled, std::int64_t last_event) {
    const long often = buffer::guardian_delay_ms;
    const bool calm = settled && pg::monotonic_ms() - last_event >= kAlertMs;
    if (calm) buffer::no_checkpoint_waits();
    if (!buffer::checkpoints_are_announced()) return often;
    return calm ? kSettledMs : std::max(often, kAnnouncedMs);
}

long nap_after_turn(Holder partner) {
    static std::int64_t last_event = pg::monotonic_ms();
    const buffer::TurnResult turn = buffer::take_turn();
    const bool announced = buffer::checkpoint_was_announced();
    if (turn.partner_awake) buffer::wake_holder(partner);
    if (turn.flushed) pg::close_all_files();
    if (turn.flushed || turn.hurry || announced) {
        hurry = kHurryTurns;
        last_event = pg::monotonic_ms();
    }
    if (turn.open) return std::min<long>(kOpenMs, buffer::guardian_delay_ms);
    if (hurry == 0)
        return turn.busy ? buffer::guardian_delay_ms : nap_between_checkpoints(turn.settled, last_event);
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
    return nap_after_turn(Holder::writer);
}

// ---- the writer's rounds
constexpr int kLeastAhead = 64;
constexpr std::uint64_t kForesight = 4;  // times the frames asked for since the last round

// Of shared_buffers, looked at in one round: 64 bytes each.
constexpr int kWatchedBuffers = 65536;
constexpr long kLookAtRestMs = 5'000;
// A look may take this part of the time, whatever writer_delay asks for; but there is one several times a
// second.
constexpr std::int64_t kLookShare = 20;
constexpr std::int64_t kMostBetweenLooksMs = 200;

int frames_ahead() noexcept {
    static std::uint64_t last = 0;
    static std::uint64_t smoothed = 0;
    const std::uint64_t now = buffer::pool.shared->allocations.load(std::memory_order_relaxed);
    const std::uint64_t recent = now - std::exchange(last, now);
    smoothed = recent > smoothed ? recent : (smoothed * 15 + recent) / 16;
    const std::uint64_t wanted = std::max<std::uint64_t>(kLeastAhead, smoothed * kForesight);
    return static_cast<int>(std::min<std::uint64_t>(wanted, static_cast<std::uint64_t>(INT_MAX / 2)));
}

// Without new pages the clock hand rests, and what lies before it was looked at already: unless the last
// round ended at its limit.
constinit std::uint64_t seen_allocations = 0;
constinit bool limited = false;

bool is_work_ahead() noexcept {
    return limited || buffer::pool.shared->allocations.load() != seen_allocations;
}

// The next allocation wakes the writer: one that comes before the mark is seen after it.
long rest(long milliseconds) noexcept {
    if (milliseconds <= buffer::writer_delay_ms) return milliseconds;
    buffer::pool.shared->writer_rests.store(true);
    return is_work_ahead() ? buffer::writer_delay_ms : milliseconds;
}

void write_ahead() {
    seen_allocations = buffer::pool.shared->allocations.load();
    limited = false;  // also if this round fails
    GH_STOP_POINT("worker.write_ahead");
    buffer::PoolShared &shared = *buffer::pool.shared;
    const int ahead = frames_ahead();
    const buffer::TrickleResult done = buffer::trickle(ahead, buffer::writer_max_pages, bgwriter_flush_after);
    shared.writer_rounds.fetch_add(1, std::memory_order_relaxed);
    shared.writer_pages.fetch_add(done.written, std::memory_order_relaxed);
    limited = done.hit_limit;
    if (limited) shared.writer_stops.fetch_add(1, std::memory_order_relaxed);
    shared.writer_ahead.store(done.reusable, std::memory_order_relaxed);
    shared.writer_last_round.store(::GetCurrentTimestamp(), std::memory_order_relaxed);
}

void watch_core_pool() {
    buffer::watch_core_pool(kWatchedBuffers);
}

// What cannot be settled must not keep us from writing, nor from looking at the rest.
void look_at_core_pool() {
    static std::int64_t next = 0;
    const std::int64_t began = pg::monotonic_ms();
    if (began < next) return;
    run_part(watch_core_pool);
    const std::int64_t took = pg::monotonic_ms() - began;
    next = began + took +
           std::max<std::int64_t>(buffer::writer_delay_ms, std::min(took * kLookShare, kMostBetweenLooksMs));
}

// What could not be written must not keep us from looking.
void look_while_pausing(long milliseconds) {
    const std::int64_t end = pg::monotonic_ms() + milliseconds;
    for (std::int64_t now = pg::monotonic_ms(); now < end; now = pg::monotonic_ms()) {
        look_at_core_pool();
        ::pg_usleep(static_cast<long>(std::min<std::int64_t>(end - now, buffer::writer_delay_ms)) * 1000L);
    }
}

// What others do to shared_buffers wakes nobody, so long naps are interrupted for a look, which is no turn.
// 0: somebody woke us.
long look_while_resting(long nap_ms) {
    constexpr int kEvents = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
    for (; nap_ms > kLookAtRestMs; nap_ms -= kLookAtRestMs) {
        if (is_signalled() || buffer::was_called()) return 0;
        if ((::WaitLatch(MyLatch, kEvents, kLookAtRestMs, PG_WAIT_EXTENSION) & WL_LATCH_SET) != 0) return 0;
        look_at_core_pool();
    }
    return nap_ms;
}

long work_ahead(long nap_ms) {
    static std::int64_t next = 0;
    constexpr long kAfterErrorMs = 1'000;
    if (buffer::writer_max_pages == 0) return nap_ms;
    const std::int64_t now = pg::monotonic_ms();
    if (now >= next) {
        if (!is_work_ahead()) return rest(nap_ms);
        next = now + (run_part(write_ahead) ? buffer::writer_delay_ms : kAfterErrorMs);
    }
    return std::min<long>(nap_ms, buffer::writer_delay_ms);
}

long writer_round() {
    const long nap_ms = nap_after_turn(Holder::guardian);
    look_at_core_pool();
    return look_while_resting(work_ahead(nap_ms));
}

constexpr const char *kGuardian = "glassheap checkpoint guardian";
constexpr const char *kWriter = "glassheap pool writer";

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
    using namespace glassheap::buffer;
    run_loop({.memory_name = "glassheap checkpoint guardian",
              .start = start_guardian,
              .round = guardian_round,
              .was_called = was_called,
              .after_error = after_failed_round,
              .pause = nullptr});
}

void glassheap_pool_writer_main(Datum arg) {
    using namespace glassheap::worker;
    (void)arg;
    using namespace glassheap::buffer;
    run_loop({.memory_name = "glassheap pool writer",
              .start = start_writer,
              .round = writer_round,
              .was_called = was_called,
              .after_error = after_failed_round,
              .pause = look_while_pausing});
}

}  // extern "C"

namespace glassheap::worker {

void register_workers() {
    register_one(kGuardian, "glassheap_guardian_main");
    register_one(kWriter, "glassheap_pool_writer_main");
}

// PostgreSQL logs what does not fit into max_worker_processes and leaves it out.
void warn_without_workers() {
    if (!IsPostmasterEnvironment || IsUnderPostmaster) return;
    if (pg::is_worker_registered(kGuardian) && pg::is_worker_registered(kWriter)) return;
    ereport(WARNING,
            (errmsg("glassheap will write every changed page at once, because its worker processes do "
                    "not fit into max_worker_processes"),
             errhint("Increase max_worker_processes (now %d) by two.", max_worker_processes)));
}

}  // namespace glassheap::worker
