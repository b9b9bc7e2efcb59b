// pg/caught.hpp — an error that ends a piece of work, and not what goes on around it.
//
// Why:    a page that cannot be written is no reason to fail a change that is logged and done.  Afterwards
//         the process has what it had before: its LWLocks (those that the work took are released), the counts
//         that hold interrupts off, memory context, resource owner.  Pins and I/O claims are the caller's.
// Limits: an error that is being handled further out (a page changed within somebody's PG_CATCH who throws it
//         on) loses its text, for PostgreSQL's stack of errors can only be emptied as a whole.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

enum class Telling : std::uint8_t { log, nothing };

// False: an error ended it.  It goes to the server's log, as LOG, with its own code and text.
// With exit_on_error, and in a process that is ending, too, where PostgreSQL would make a FATAL of it.
// Precondition: not in a critical section, where every error is a PANIC.
bool run_caught(void (*body)(void *), void *argument, Telling telling) noexcept;

template <typename Body>
bool run_caught(Body body, Telling telling = Telling::log) noexcept {
    return run_caught([](void *argument) { (*static_cast<Body *>(argument))(); }, &body, telling);
}

}  // namespace glassheap::pg
