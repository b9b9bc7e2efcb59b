// buffer/partner_watch.hpp — a holder notices that the other one does not come.
//
// Why:    a holder that is stopped, or starved, holds up every checkpoint; only its partner is awake to say
//         so.  One that writes pages, however slowly, is neither.
// Locking: none; what it reads is a word each, and a wrong look lasts until the next one.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::buffer {

// Every round, before the turn.  Logs after kPatienceMs, then every minute, and when the partner is back.
// True when the caller has only begun to wait: the partner may be asleep and should be woken.
bool watch_partner();
// The caller waits for the turn, which the partner has.
void watch_partner_in_turn();
// I have had a turn, so the partner had his.
void partner_came();
// A holder has written a page; anybody may call it.
void note_progress() noexcept;

}  // namespace glassheap::buffer
