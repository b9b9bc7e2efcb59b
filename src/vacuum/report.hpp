// vacuum/report.hpp — what a vacuum tells: VACUUM VERBOSE, log_autovacuum_min_duration.  Internal.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_usage.hpp"
#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {

struct StartOfWork {
    bool wanted;  // somebody may want the report
    PGRUsage rusage;
    TimestampTz time;
    pg::BlockTimes block_times;
    WalUsage wal;
    BufferUsage buffers;
};
struct Updated {  // of pg_class
    bool frozenxid;
    bool minmulti;
};

StartOfWork note_start(const VacuumParams &params);
void report(const VacuumState &state, const VacuumParams &params, const StartOfWork &start,
            const Updated &updated);

}  // namespace glassheap::vacuum
