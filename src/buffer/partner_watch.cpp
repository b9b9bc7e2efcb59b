// buffer/partner_watch.cpp — see buffer/partner_watch.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/partner_watch.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/frame.hpp"
#include "pg/clock.hpp"

namespace glassheap::buffer {

namespace {

struct Waiting {
    TimestampTz since;    // 0: for nobody
    TimestampTz logged;   // 0: not yet
    std::uint32_t beats;  // of the partner, when it was last seen alive
};
constinit Waiting waiting = {};

long seconds_since(TimestampTz when) {
    return ::TimestampDifferenceMilliseconds(when, ::GetCurrentTimestamp()) / 1000;
}

void wait_on(int partner) {
    const TimestampTz now = ::GetCurrentTimestamp();
    const std::uint32_t beats = pool.shared->holders[partner].beats.load(std::memory_order_relaxed);
    if (waiting.since != 0 && beats != waiting.beats) partner_came();
    if (waiting.since == 0) waiting = {now, 0, beats};
    if (!::TimestampDifferenceExceeds(waiting.since, now, kPatienceMs)) return;
    if (waiting.logged != 0 && !::TimestampDifferenceExceeds(waiting.logged, now, kRepeatMs)) return;
    waiting.logged = now;
    complain_of(partner, seconds_since(waiting.since));
}

const char *name_of(int number) noexcept {
    return number == static_cast<int>(Holder::guardian) ? "glassheap checkpoint guardian"
                                                        : "glassheap pool writer";
}

int my_partner() noexcept {
    return 1 - static_cast<int>(my_holder());
}

// Does anything wait for the partner?  One that is leaving has its flag up until it has written everything.
bool is_partner_due() noexcept {
    const PoolShared &shared = *pool.shared;
    const HolderShared &he = shared.holders[my_partner()];
    const HolderShared &mine = shared.holders[1 - my_partner()];
    if (!he.present) return he.guarding;
    return mine.present && mine.guarding && (!he.guarding || shared.last_turn != my_partner());
}

}  // namespace

void complain_of(int number, long seconds) {
    HolderShared &holder = pool.shared->holders[number];
    const bool guards = holder.guarding;
    holder.overdue = true;
    ereport(LOG,
            (errmsg("glassheap has waited %ld s for process %d (%s)", seconds, holder.pid, name_of(number)),
             guards ? errdetail("Checkpoints cannot complete before it has had its turn.  It is stopped, "
                                "gets no processor time, or waits for the disk.")
                    : errdetail("Every changed page is written at once until it answers."),
             // It is not what a session does that the message is about.
             errhidestmt(true), errhidecontext(true)));
}

void complain_of_stopped(int number) {
    HolderShared &holder = pool.shared->holders[number];
    holder.overdue = true;
    ereport(LOG, (errmsg("process %d (%s) is stopped, and a checkpoint begins that must wait for it",
                         holder.pid, name_of(number)),
                  errhint("Let it go on (SIGCONT), or terminate it.")));
}

void partner_came() {
    if (waiting.logged != 0) {
        pool.shared->holders[my_partner()].overdue = false;
        ereport(LOG,
                (errmsg("glassheap has waited %ld s for its other worker process, which has answered now",
                        seconds_since(waiting.since))));
    }
    waiting = {};
}

bool watch_partner() {
    if (!is_partner_due()) {
        partner_came();
        return false;
    }
    const bool begins = waiting.since == 0;
    wait_on(my_partner());
    return begins;
}

void watch_partner_in_turn() {
    note_heard();
    wait_on(my_partner());
}

void note_heard() noexcept {
    pool.shared->holders[static_cast<int>(my_holder())].heard.store(pg::monotonic_ms(),
                                                                    std::memory_order_relaxed);
}

void note_progress() noexcept {
    if (my_holder() == Holder::none) return;
    note_heard();
    pool.shared->holders[static_cast<int>(my_holder())].beats.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace glassheap::buffer
