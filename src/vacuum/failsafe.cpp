// vacuum/failsafe.cpp — when wraparound is near, everything is dropped that does not advance relfrozenxid.
//
// Errors: may longjmp (WARNING).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {

bool failsafe_triggered(VacuumState &state) {
    Plan &plan = state.plan;
    if (plan.failsafe) return true;
    const mvcc::FreezeCutoffs &freeze = state.cutoffs.freeze;
    if (!pg::is_wraparound_near(freeze.relfrozenxid, freeze.relminmxid)) [[likely]]
        return false;

    plan.failsafe = true;
    plan.index_vacuuming = false;
    plan.index_cleanup = false;
    plan.truncate = false;
    ereport(WARNING,
            (errmsg("bypassing nonessential maintenance of table \"%s.%s.%s\" as a failsafe after %d index "
                    "scans",
                    state.database_name, state.schema_name, state.table_name, state.counts.index_scans),
             errdetail("The table's relfrozenxid or relminmxid is too far in the past."),
             errhint("Consider increasing configuration parameter \"maintenance_work_mem\" or "
                     "\"autovacuum_work_mem\".\n"
                     "You might also need to consider other ways for VACUUM to keep up with the allocation "
                     "of transaction IDs.")));
    // And no pauses any more.
    VacuumCostActive = false;
    VacuumCostBalance = 0;
    return true;
}

}  // namespace glassheap::vacuum
