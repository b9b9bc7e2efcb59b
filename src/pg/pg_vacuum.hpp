// pg/pg_vacuum.hpp — PostgreSQL headers that only vacuum needs.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/amapi.h"
#include "access/parallel.h"
#include "commands/dbcommands.h"
#include "executor/instrument.h"
#include "lib/stringinfo.h"
#include "optimizer/paths.h"
#include "portability/instr_time.h"
#include "tcop/tcopprot.h"
#include "utils/pg_rusage.h"
}

namespace glassheap::pg {

// ---- how far back a vacuum may remove and must freeze
struct VacuumLimits {
    TransactionId oldest_xmin;
    MultiXactId oldest_multi;
    TransactionId freeze_limit;
    MultiXactId multi_cutoff;
};
// True: every page that is not all-frozen must be looked at.
// Versions: 16 has vacuum_get_cutoffs and the struct VacuumCutoffs, which the failsafe check takes as well.
inline bool find_vacuum_limits(Relation rel, const VacuumParams &params, VacuumLimits *limits) {
    return ::vacuum_set_xid_limits(rel, params.freeze_min_age, params.freeze_table_age,
                                   params.multixact_freeze_min_age, params.multixact_freeze_table_age,
                                   &limits->oldest_xmin, &limits->oldest_multi, &limits->freeze_limit,
                                   &limits->multi_cutoff);
}
inline bool is_wraparound_near(TransactionId relfrozenxid, MultiXactId relminmxid) {
    return ::vacuum_xid_failsafe_check(relfrozenxid, relminmxid);
}

// ---- what was found
struct RelationFacts {
    BlockNumber pages;
    double rows;
    BlockNumber all_visible = 0;
    BlockNumber all_frozen = 0;  // for 18's pg_class.relallfrozen
    bool has_indexes = false;
    TransactionId frozenxid = InvalidTransactionId;  // Invalid: leave it as it is
    MultiXactId minmulti = InvalidMultiXactId;
};
// To pg_class.  The pointers may be null.
inline void update_relation_facts(Relation rel, const RelationFacts &facts, bool *frozenxid_updated,
                                  bool *minmulti_updated) {
    ::vac_update_relstats(rel, facts.pages, facts.rows, facts.all_visible, facts.has_indexes, facts.frozenxid,
                          facts.minmulti, frozenxid_updated, minmulti_updated, false);
}
// To the cumulative statistics.  Versions: 18 also wants to know when the vacuum began.
inline void report_vacuum(Relation rel, PgStat_Counter live, PgStat_Counter dead) {
    ::pgstat_report_vacuum(RelationGetRelid(rel), rel->rd_rel->relisshared, live, dead);
}
// For the progress view.  Versions: 17 counts in bytes (PROGRESS_VACUUM_MAX_DEAD_TUPLE_BYTES,
// PROGRESS_VACUUM_DEAD_TUPLE_BYTES) and items (PROGRESS_VACUUM_NUM_DEAD_ITEM_IDS).
inline void report_dead_items(std::int64_t items) {
    ::pgstat_progress_update_param(PROGRESS_VACUUM_NUM_DEAD_TUPLES, items);
}
inline void report_scan_begins(BlockNumber pages, std::int64_t dead_items_max) {
    const int index[] = {PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_TOTAL_HEAP_BLKS,
                         PROGRESS_VACUUM_MAX_DEAD_TUPLES};
    const int64 value[] = {PROGRESS_VACUUM_PHASE_SCAN_HEAP, pages, dead_items_max};
    ::pgstat_progress_update_multi_param(3, index, value);
}

// ---- cost
// Interrupts, and the pause that the cost settings ask for.  Versions: 18 asks whether it is for ANALYZE.
inline void vacuum_pause() {
    ::vacuum_delay_point();
}
// In a parallel worker.  Versions: 16 names the setting vacuum_cost_delay; 18 has no page counters.
inline void begin_shared_cost(pg_atomic_uint32 *balance, pg_atomic_uint32 *active_workers) noexcept {
    VacuumCostActive = VacuumCostDelay > 0;
    VacuumCostBalance = 0;
    VacuumPageHit = 0;
    VacuumPageMiss = 0;
    VacuumPageDirty = 0;
    VacuumCostBalanceLocal = 0;
    VacuumSharedCostBalance = balance;
    VacuumActiveNWorkers = active_workers;
}

// ---- indexes.  Versions: 16 wants the table (heaprel).
inline IndexVacuumInfo make_index_vacuum_info(Relation /* table */, Relation index) noexcept {
    IndexVacuumInfo info = {};
    info.index = index;
    return info;
}

}  // namespace glassheap::pg
