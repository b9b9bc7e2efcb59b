// vacuum/index_work.hpp — one job on one index, whoever does it.  Internal to the room.
//
// Why:    the leader and its workers do the same to different indexes.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {

enum class IndexJob : std::uint8_t { bulk_delete, clean_up };

struct IndexWork {
    IndexJob job;
    double heap_tuples;
    bool estimated;
};

// index_pass.cpp: does the job on state.indexes[which], from and to state.index_stats[which].
void do_index_work(VacuumState &state, int which, const IndexWork &work);

// parallel_indexes.cpp: shares the indexes out among workers and the leader.  False when that is not worth
// it, or not possible: nothing was done then.
bool do_index_work_in_parallel(VacuumState &state, const IndexWork &work);

}  // namespace glassheap::vacuum
