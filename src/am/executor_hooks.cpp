// am/executor_hooks.cpp — see executor_hooks.hpp.
//
// Why:    what a statement has inserted must be on its pages before anything else of this session, its
//         parallel workers included, can look for it: a query that a function of the statement runs, triggers
//         at its end, the statement after it (heap.I3).
// Errors: as heap::finish_runs.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/executor_hooks.hpp"
#include "heap/insert_run.hpp"

namespace glassheap::am {

namespace {

ExecutorRun_hook_type next_run = nullptr;
ExecutorFinish_hook_type next_finish = nullptr;

// Nothing is read before it runs: ExecutorStart opens tables only.  Also a cursor that was opened before, and
// that a function of the statement fetches from.
extern "C" void gh_before_query_runs(QueryDesc *query, ScanDirection direction, uint64 count, bool once) {
    heap::finish_runs();
    next_run(query, direction, count, once);
}

extern "C" void gh_before_query_ends(QueryDesc *query) {
    heap::finish_runs();
    next_finish(query);
    heap::finish_runs();  // of a data-modifying WITH that nobody read: it ran just now
}

}  // namespace

void install_executor_hooks() {
    next_run = ExecutorRun_hook != nullptr ? ExecutorRun_hook : ::standard_ExecutorRun;
    ExecutorRun_hook = gh_before_query_runs;
    next_finish = ExecutorFinish_hook != nullptr ? ExecutorFinish_hook : ::standard_ExecutorFinish;
    ExecutorFinish_hook = gh_before_query_ends;
}

}  // namespace glassheap::am
