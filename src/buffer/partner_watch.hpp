// buffer/partner_watch.hpp — a holder notices that the other one does not come.
//
// Why:    a holder that is stopped, or starved, holds up every checkpoint; its partner is awake to say so (if
//         both are: silent_holders.hpp).  One that writes pages, however slowly, is neither.
// Locking: none; what it reads is a word each, and a wrong look lasts until the next one.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::buffer {

inline constexpr long kPatienceMs = 10'000;
inline constexpr long kRepeatMs = 60'000;

// Every round, before the turn.  Logs after kPatienceMs, then every minute, and when the partner is back.
// True when the caller has only begun to wait: the partner may be asleep and should be woken.
bool watch_partner();
// The caller waits for the turn, which the partner has.
void watch_partner_in_turn();
// I have had a turn, so the partner had his.
void partner_came();
// The same words for whoever waits in vain, partner or session (silent_holders.hpp).
void complain_of(int number, long seconds);
// When that is seen at once, by the checkpointer (silent_holders.hpp).
void complain_of_stopped(int number);
// This holder is awake; it need not have done anything.
void note_heard() noexcept;
// A holder has written a page; anybody may call it.
void note_progress() noexcept;

}  // namespace glassheap::buffer
