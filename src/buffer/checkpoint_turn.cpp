// buffer/checkpoint_turn.cpp — see buffer/checkpoint_turn.hpp.
// Model:  doc/design/models/checkpoint.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"

#include "buffer/checkpoint_veto.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/flush.hpp"
#include "buffer/left_pages.hpp"
#include "buffer/partner_watch.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/settings.hpp"
#include "buffer/silent_holders.hpp"
#include "debug/stop_points.hpp"
#include "pg/clock.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_process.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kTurnsBeforeWriteBack = 2;
constexpr std::uint64_t kSlowFlushMicros = 30'000'000;
constexpr std::int64_t kShortPatienceMs = 2'000;  // with readers, while a veto is up
constexpr long kRetryMs = 5'000;  // of a page that could not be written, while no checkpoint asks

constinit Holder me = Holder::none;
// A flush of mine is to be done and has not come to its end: an error got in between.
constinit bool unwritten = false;

// The last try while the veto is up.
struct LastTry {
    std::int64_t at;  // milliseconds, monotonic
    Lsn redo;
    std::uint32_t calls;
};
constinit LastTry last_try = {};

// My turn is not over: pages were passed over that somebody reads into shared_buffers.  It goes on in a later
// round, so that in between nothing is held and everything else is done.
struct OpenTurn {
    std::int64_t since, next;  // milliseconds, monotonic; 0: none is open
    Lsn redo;
    std::size_t pages;
    bool alone;  // nobody waits for it; it is to lower a veto
};
constinit OpenTurn open_turn = {};

HolderShared &holder(Holder who) noexcept {
    return pool.shared->holders[static_cast<int>(who)];
}
Holder partner() noexcept {
    return me == Holder::guardian ? Holder::writer : Holder::guardian;
}

bool is_any_veto_up() noexcept {
    return holder(me).veto || holder(partner()).veto || is_left_veto_up();
}

// Comes back with pages passed over, or when all is written.  `goes_on`: only those of before.
Flushed flush_all_of_it(int flush_after, bool goes_on) {
    unwritten = true;
    forget_last_tried();
    // Before core writes its pages for this checkpoint.
    if (!goes_on) search_core_pool();
    Flushed done = {0, 0};
    if (debug_guardian_flush)
        done = goes_on ? flush_passed_over(flush_after) : flush_every_dirty(flush_after, Reader::leave);
    if (done.passed == 0) lower_left_veto_if_none();
    unwritten = false;
    return done;
}

[[noreturn]] void give_readers_up() {
    unwritten = true;
    refuse_to_write(first_passed_over());
}

// A virtual transaction of our own, never a real one: ending one would lower the flag.
void rotate() noexcept {
    pg::set_my_lxid(::GetNextLocalTransactionId());
    pg_memory_barrier();
}

void start_guarding() noexcept {
    pg::set_my_lxid(::GetNextLocalTransactionId());
    pg_memory_barrier();
    pg::delay_checkpoints();
    pg_memory_barrier();
    holder(me).guarding = true;
    pool.shared->turns_together = 0;
}

void stop_guarding() noexcept {
    holder(me).guarding = false;
    pool.shared->turns_together = 0;
    pg_memory_barrier();
    pg::stop_delaying_checkpoints();
    pg::set_my_lxid(InvalidLocalTransactionId);
}

void note_flush(Lsn redo, std::size_t pages, TimestampTz began) {
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
    constexpr long kPatienceMs = 30'000;
    static TimestampTz alone_since = 0;
    static bool complained = false;
    const TimestampTz now = ::GetCurrentTimestamp();
    if (holder(partner()).present || holder(partner()).guarding) {  // there, or leaving
        alone_since = 0;
        return;
    }
    if (alone_since == 0) alone_since = now;
    if (complained || !::TimestampDifferenceExceeds(alone_since, now, kPatienceMs)) return;
    complained = true;
    ereport(
        WARNING,
        (errmsg("glassheap writes every changed page at once, because one of its two workers does not run"),
         errhint("Consider increasing max_worker_processes.")));
}

// Lets the checkpoints go that waited for this turn.
void end_turn() noexcept {
    open_turn = {};
    rotate();
    pool.shared->last_turn = static_cast<int>(me);
    pool.shared->guardian_turns.fetch_add(1, std::memory_order_relaxed);
    pool.shared->guardian_last_turn.store(::GetCurrentTimestamp(), std::memory_order_relaxed);
    partner_came();
}

bool is_retry_due() {
    if (open_turn.since != 0) return pg::monotonic_ms() >= open_turn.next;
    if (!holder(me).veto) return true;
    return last_try.redo != ::GetRedoRecPtr() || last_try.calls != pool.shared->checkpoint_calls.load() ||
           pg::monotonic_ms() - last_try.at >= kRetryMs;
}

// While a veto is up checkpoints fail soon.  But not at once: beside short reads it would never go down.
void keep_turn_open(Lsn redo, const Flushed &done, std::int64_t began) {
    constexpr std::int64_t kPauseMs = 50;
    constexpr std::int64_t kLongestPauseMs = 1'000;
    const std::int64_t now = pg::monotonic_ms();
    if (open_turn.since == 0) open_turn.since = now;
    const std::int64_t patience = is_any_veto_up() ? kShortPatienceMs : kReaderPatienceMs;
    if (now - open_turn.since >= patience) give_readers_up();
    open_turn.next = now + std::clamp(10 * (now - began), kPauseMs, kLongestPauseMs);
    open_turn.redo = redo;
    open_turn.pages += done.written;
    open_turn.alone = !holder(partner()).present;
    note_progress();
    GH_STOP_POINT("buffer.turn_kept_open");
}

// The veto has to go when everything is written (ckpt.T1).  False: pages were passed over.
bool write_for_checkpoint(Lsn redo) {
    const TimestampTz began = ::GetCurrentTimestamp();
    // Of the beginning: a checkpoint announced meanwhile is not tried by this.
    last_try = {pg::monotonic_ms(), redo, pool.shared->checkpoint_calls.load()};
    const bool goes_on = open_turn.since != 0 && open_turn.redo == redo;
    const Flushed done = flush_all_of_it(checkpoint_flush_after, goes_on);
    if (done.passed > 0) {
        keep_turn_open(redo, done, last_try.at);
        return false;
    }
    note_flush(redo, open_turn.pages + done.written, began);
    open_turn = {};
    if (holder(me).veto) lower_veto();
    return true;
}

// The turn proper, under the turn lock with both guarding and the partner having gone last.  False: it is not
// over.
bool turn(TurnResult *result) {
    const Lsn redo = ::GetRedoRecPtr();
    const bool moved = redo != pool.shared->flushed_redo;
    const bool due = moved || holder(me).veto || is_left_veto_up();
    if (moved && open_turn.since == 0) redo_pointer_has_moved();
    if (due && !write_for_checkpoint(redo)) return false;
    GH_STOP_POINT("buffer.guardian_before_rotate");
    end_turn();
    result->flushed = due;
    return true;
}

void maybe_switch_to_write_back() noexcept {
    if (++pool.shared->turns_together < kTurnsBeforeWriteBack) return;
    pool.shared->turns_together = kTurnsBeforeWriteBack;
    pool.shared->write_back.store(true);
}

// In write-through mode only a veto of mine, or nobody's, still asks for a flush.  ckpt.C3: a partner that is
// leaving guards.
void serve_alone() {
    if (!open_turn.alone) open_turn = {};
    if (holder(me).guarding && !holder(partner()).guarding) stop_guarding();
    if (!holder(me).veto && !is_left_veto_up())
        open_turn = {};
    else if (is_retry_due())
        write_for_checkpoint(::GetRedoRecPtr());
}

void serve_together(TurnResult *result) {
    PoolShared &shared = *pool.shared;
    if (open_turn.alone) open_turn = {};
    if (!holder(me).guarding) {
        start_guarding();
        result->partner_awake = result->hurry = true;
    } else if (!holder(partner()).guarding) {
        open_turn = {};
        rotate();
    } else if (shared.last_turn != static_cast<int>(me) && is_retry_due() && turn(result)) {
        maybe_switch_to_write_back();
        result->partner_awake = result->flushed || !is_write_back();
        result->settled =
            is_write_back() && !holder(me).veto && !holder(partner()).veto && !is_left_veto_up();
    }
}

// Nobody may have the turn for long but a partner that writes, or is stopped.
void acquire_turn_patiently() {
    constexpr long kPauseUs = 10'000;
    while (!::LWLockConditionalAcquire(&pool.shared->turn, LW_EXCLUSIVE)) {
        watch_partner_in_turn();
        ::pg_usleep(kPauseUs);
    }
    partner_came();
}

// Its holder is gone, and has no successor yet.  To be acted upon under `turn` only.
bool is_veto_orphaned(Holder who) noexcept {
    return holder(who).pid == 0 && holder(who).veto;
}

bool is_leaving(Holder who) noexcept {
    return holder(who).pid != 0 && !holder(who).present;
}

// In a shutdown, when both leave, the last checkpoint needs what is written here.  Who leaves alone comes
// back.  `last`: the partner was leaving before; a veto that it may yet raise is answered by the flush that
// begins when it is gone.  True: its veto was orphaned when the flush began that wrote everything (ckpt.T1).
bool flush_before_leaving(bool last) {
    constexpr std::int64_t kPatienceMs = kChecks >= 1 ? 2'000 : 20'000;
    constexpr std::int64_t kTogetherMs = kChecks >= 1 ? 100 : 1'000;  // at most between the two
    constexpr long kPauseUs = 50'000;
    constexpr long kShortPauseUs = 2'000;
    const std::int64_t began = pg::monotonic_ms();
    while (last && is_leaving(partner()) && pg::monotonic_ms() - began < kPatienceMs) {
        note_progress();
        GH_STOP_POINT("buffer.partner_awaited");
        ::pg_usleep(kShortPauseUs);
    }
    bool orphaned = is_veto_orphaned(partner());
    bool again = false;
    while (flush_all_of_it(0, again).passed > 0) {
        const bool alone = holder(partner()).present;
        if (pg::monotonic_ms() - began >= (alone ? kTogetherMs : kPatienceMs)) give_readers_up();
        unwritten = true;
        note_progress();
        ::pg_usleep(kPauseUs);
        const bool was_orphaned = std::exchange(orphaned, is_veto_orphaned(partner()));
        again = was_orphaned == orphaned;
    }
    return orphaned;
}

// In a shutdown no successor comes.  One that comes now waits for `turn` before it may raise it again.
void lower_partners_veto() {
    acquire_turn_patiently();
    if (is_veto_orphaned(partner())) lower_veto_of(partner());
    ::LWLockRelease(&pool.shared->turn);
}

// before_shmem_exit: LWLocks of an interrupted turn are released already, and this process is still among
// those the checkpointer waits for.  An error here is FATAL, and goes on with have_left, which then vetoes.
extern "C" void glassheap_leave_turns(int code, Datum arg) {
    (void)code;
    (void)arg;
    if (me == Holder::none || !holder(me).present) return;
    pg::release_all_pins();
    pg::release_core_buffers();
    unwritten = true;
    forget_last_tried();
    acquire_turn_patiently();
    pool.shared->write_back.store(false);
    holder(me).present = false;
    const bool last = is_leaving(partner());
    ::LWLockRelease(&pool.shared->turn);
    pg_memory_barrier();
    GH_STOP_POINT("buffer.guardian_leaves");
    const bool lowers_both = flush_before_leaving(last);
    if (holder(me).veto) lower_veto();
    if (lowers_both) lower_partners_veto();
}

// Runs after it, whatever became of it; the flag is still up (ckpt.C2).
extern "C" void glassheap_have_left(int code, Datum arg) {
    (void)code;
    (void)arg;
    pg::release_all_pins();
    pg::release_core_buffers();
    if (unwritten) {
        raise_veto(last_tried_page());
        GH_STOP_POINT("buffer.left_with_veto");
    }
    acquire_turn_patiently();
    pool.shared->write_back.store(false);
    holder(me).present = holder(me).overdue = false;
    holder(me).pid = 0;
    if (holder(me).guarding) stop_guarding();
    ::LWLockRelease(&pool.shared->turn);
    wake_holder(partner());
    drop_veto_pin();
}

}  // namespace

Holder my_holder() noexcept {
    return me;
}

void join_as(Holder who) {
    me = who;
    my_counters = nullptr;
    prepare_flush_space();
    prepare_veto();
    ::before_shmem_exit(glassheap_have_left, 0);
    ::before_shmem_exit(glassheap_leave_turns, 0);
    acquire_turn_patiently();
    HolderShared &mine = holder(who);
    mine.pid = MyProcPid;
    mine.procno = pg::my_process_number();
    mine.present = true;
    mine.guarding = mine.overdue = false;
    ::LWLockRelease(&pool.shared->turn);
}

TurnResult take_turn() {
    TurnResult result = {};
    begin_round();
    complain_if_alone_for_long();
    const bool waits = watch_partner();
    if (!::LWLockConditionalAcquire(&pool.shared->turn, LW_EXCLUSIVE)) {
        result.busy = true;
        return result;
    }
    if (holder(partner()).present)
        serve_together(&result);
    else
        serve_alone();
    result.open = open_turn.since != 0;
    ::LWLockRelease(&pool.shared->turn);
    if (waits) result.partner_awake = true;
    return result;
}

void after_failed_round() {
    if (!unwritten) return;
    acquire_turn_patiently();
    unwritten = false;
    open_turn = {};
    last_try.at = pg::monotonic_ms();
    raise_veto(last_tried_page());
    const bool together = holder(partner()).present && holder(partner()).guarding && holder(me).guarding;
    if (together && pool.shared->last_turn != static_cast<int>(me)) {
        end_turn();
        maybe_switch_to_write_back();
    }
    ::LWLockRelease(&pool.shared->turn);
    wake_holder(partner());
}

void wake_holder(Holder who) noexcept {
    HolderShared &he = holder(who);
    he.calls.fetch_add(1);
    if (he.present) pg::wake_process(he.procno);
}

bool was_called() noexcept {
    static std::uint32_t seen = 0;
    const std::uint32_t now = holder(me).calls.load();
    return std::exchange(seen, now) != now;
}

bool checkpoint_was_announced() noexcept {
    static std::uint32_t seen = 0;
    const std::uint32_t now = pool.shared->checkpoint_calls.load(std::memory_order_relaxed);
    return std::exchange(seen, now) != now;
}

}  // namespace glassheap::buffer
