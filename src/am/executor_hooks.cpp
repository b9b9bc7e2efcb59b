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

ExecutorStart_hook_type next_start = nullptr;
ExecutorRun_hook_type next_run = nullptr;
ExecutorFinish_hook_type next_finish = nullptr;

extern "C" void gh_before_query(QueryDesc *query, int flags) {
    heap::finish_runs();
    if (next_start != nullptr)
        next_start(query, flags);
    else
        ::standard_ExecutorStart(query, flags);
}

// A cursor that was opened before, fetched from by a function of the statement.
extern "C" void gh_before_query_runs(QueryDesc *query, ScanDirection direction, uint64 count, bool once) {
    heap::finish_runs();
    if (next_run != nullptr)
        next_run(query, direction, count, once);
    else
        ::standard_ExecutorRun(query, direction, count, once);
}

extern "C" void gh_before_query_ends(QueryDesc *query) {
    heap::finish_runs();
    if (next_finish != nullptr)
        next_finish(query);
    else
        ::standard_ExecutorFinish(query);
    heap::finish_runs();  // of a data-modifying WITH that nobody read: it ran just now
}

}  // namespace

void install_executor_hooks() {
    next_start = ExecutorStart_hook;
    ExecutorStart_hook = gh_before_query;
    next_run = ExecutorRun_hook;
    ExecutorRun_hook = gh_before_query_runs;
    next_finish = ExecutorFinish_hook;
    ExecutorFinish_hook = gh_before_query_ends;
}

}  // namespace glassheap::am
