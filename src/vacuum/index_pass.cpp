// vacuum/index_pass.cpp — every index forgets the dead items, and tidies up at the end.
//
// Why:    index access methods ask back for each entry whether its row is dead; dead_items answers.
// Invariants: U1: only when every index has been through may the line pointers become unused.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

extern "C" bool gh_index_entry_is_dead(ItemPointer tid, void *dead_items) {
    return static_cast<const DeadItems *>(dead_items)
        ->contains(ItemPointerGetBlockNumberNoCheck(tid), ItemPointerGetOffsetNumberNoCheck(tid));
}

IndexVacuumInfo describe_index(const VacuumState &state, Relation index, double heap_tuples, bool estimated) {
    IndexVacuumInfo info = {};
    info.index = index;
    info.analyze_only = false;
    info.report_progress = false;
    info.estimated_count = estimated;
    info.message_level = DEBUG2;
    info.num_heap_tuples = heap_tuples;
    info.strategy = state.strategy;
    return info;
}

void vacuum_one_index(VacuumState &state, int which) {
    Relation index = state.indexes[which];
    const char *name = state.index_names[which];
    const PlaceGuard place(state, Phase::vacuum_index, kInvalidBlock, name);
    IndexVacuumInfo info = describe_index(state, index, state.old_live_tuples, true);
    state.index_stats[which] =
        ::index_bulk_delete(&info, state.index_stats[which], gh_index_entry_is_dead, state.dead);
    ereport(info.message_level, (errmsg_internal("scanned index \"%s\" to remove %lld row versions", name,
                                                 static_cast<long long>(state.dead->count()))));
}

}  // namespace

bool vacuum_indexes(VacuumState &state) {
    if (failsafe_triggered(state)) return false;
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_VACUUM_INDEX);
    bool complete = true;
    for (int i = 0; i < state.index_count && complete; i++) {
        vacuum_one_index(state, i);
        complete = !failsafe_triggered(state);
    }
    // A round that the failsafe cut short counts: its work shows in the indexes.
    state.counts.index_scans++;
    ::pgstat_progress_update_param(PROGRESS_VACUUM_NUM_INDEX_VACUUMS, state.counts.index_scans);
    return complete;
}

void clean_up_indexes(VacuumState &state) {
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_INDEX_CLEANUP);
    const bool estimated = state.counts.scanned_pages < state.pages_at_start;
    for (int i = 0; i < state.index_count; i++) {
        Relation index = state.indexes[i];
        const PlaceGuard place(state, Phase::index_cleanup, kInvalidBlock, state.index_names[i]);
        IndexVacuumInfo info = describe_index(state, index, state.counts.new_rel_tuples, estimated);
        state.index_stats[i] = ::vac_cleanup_one_index(&info, state.index_stats[i]);
    }
}

void update_index_stats(VacuumState &state) {
    for (int i = 0; i < state.index_count; i++) {
        const IndexBulkDeleteResult *stats = state.index_stats[i];
        if (stats == nullptr || stats->estimated_count) continue;
        ::vac_update_relstats(state.indexes[i], stats->num_pages, stats->num_index_tuples, 0, false,
                              InvalidTransactionId, InvalidMultiXactId, nullptr, nullptr, false);
    }
}

}  // namespace glassheap::vacuum
