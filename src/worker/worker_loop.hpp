// worker/worker_loop.hpp — the frame of every background worker of the pool.
//
// Why:    one place for signals, the only sigsetjmp but PG_TRY's, and the chores of a long-lived process.
// Invariants: worker.L1 a round that fails is logged, everything it held is given back, after_error is
//            called, and the loop goes on after a pause; the flag that holds checkpoints stays as it was.
//         worker.L2 the loop never runs a transaction (worker.L2): ending one would let checkpoints go.
// Errors: rounds may longjmp; the process ends with exit code 1 so that the postmaster starts it again, but
//         for a shutdown, where that does not matter.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::worker {

struct Loop {
    const char *memory_name;
    void (*start)();  // once, connected and in ProcArray
    long (*round)();  // does the work; returns for how many milliseconds to sleep
    // Was this process woken since the last call?  Asked before it sleeps: a wait in the round takes the
    // latch.
    bool (*was_called)() noexcept;
    void (*after_error)();
    void (*pause)(long milliseconds);  // after an error; nullptr: sleeps
};
[[noreturn]] void run_loop(const Loop &loop);
// Is there something for the loop's chores?
bool is_signalled() noexcept;
// A part of a round that must not keep the others from running: an error in it is logged, and what it held
// is given back.  False: it failed.  For parts that nothing of the round relies on; not for turns
// (worker.L1).
bool run_part(void (*part)());

}  // namespace glassheap::worker
