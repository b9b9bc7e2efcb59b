// vacuum/index_pass.cpp — every index forgets the dead items, and tidies up at the end.
//
// Why:    index access methods ask back for each entry whether its row is dead; dead_items answers.
// Invariants: vacuum.U1: only when every index has been through may the line pointers become unused.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/index_work.hpp"

namespace glassheap::vacuum {
namespace {

extern "C" bool gh_index_entry_is_dead(ItemPointer tid, void *dead_items) {
    return static_cast<const DeadItems *>(dead_items)
        ->contains(ItemPointerGetBlockNumberNoCheck(tid), ItemPointerGetOffsetNumberNoCheck(tid));
}

IndexVacuumInfo describe_index(const VacuumState &state, Relation index, const IndexWork &work) {
    IndexVacuumInfo info = pg::make_index_vacuum_info(state.rel, index);
    info.analyze_only = false;
    info.report_progress = false;
    info.estimated_count = work.estimated;
    info.message_level = DEBUG2;
    info.num_heap_tuples = work.heap_tuples;
    info.strategy = state.strategy;
    return info;
}

void bulk_delete(VacuumState &state, int which, const IndexWork &work) {
    const char *name = state.index_names[which];
    const PlaceGuard place(state, Phase::vacuum_index, kInvalidBlock, name);
    IndexVacuumInfo info = describe_index(state, state.indexes[which], work);
    state.index_stats[which] =
        ::index_bulk_delete(&info, state.index_stats[which], gh_index_entry_is_dead, state.dead);
    ereport(info.message_level, (errmsg_internal("scanned index \"%s\" to remove dead row versions", name)));
}

void clean_up(VacuumState &state, int which, const IndexWork &work) {
    const PlaceGuard place(state, Phase::index_cleanup, kInvalidBlock, state.index_names[which]);
    IndexVacuumInfo info = describe_index(state, state.indexes[which], work);
    state.index_stats[which] = ::vac_cleanup_one_index(&info, state.index_stats[which]);
}

// One after the other; false when the failsafe ended it.
bool bulk_delete_serially(VacuumState &state, const IndexWork &work) {
    for (int i = 0; i < state.index_count; i++) {
        do_index_work(state, i, work);
        if (failsafe_triggered(state)) return false;
    }
    return true;
}

}  // namespace

void do_index_work(VacuumState &state, int which, const IndexWork &work) {
    if (work.job == IndexJob::bulk_delete)
        bulk_delete(state, which, work);
    else
        clean_up(state, which, work);
}

bool vacuum_indexes(VacuumState &state) {
    if (failsafe_triggered(state)) return false;
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_VACUUM_INDEX);
    const IndexWork work = {IndexJob::bulk_delete, state.old_live_tuples, true};
    bool complete = true;
    if (do_index_work_in_parallel(state, work))
        complete = !failsafe_triggered(state);
    else
        complete = bulk_delete_serially(state, work);
    // A round that the failsafe cut short counts: its work shows in the indexes.
    state.counts.index_scans++;
    ::pgstat_progress_update_param(PROGRESS_VACUUM_NUM_INDEX_VACUUMS, state.counts.index_scans);
    return complete;
}

void clean_up_indexes(VacuumState &state) {
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_INDEX_CLEANUP);
    const bool estimated = state.counts.scanned_pages < state.pages_at_start;
    const IndexWork work = {IndexJob::clean_up, state.counts.new_rel_tuples, estimated};
    if (do_index_work_in_parallel(state, work)) return;
    for (int i = 0; i < state.index_count; i++) do_index_work(state, i, work);
}

void update_index_stats(VacuumState &state) {
    for (int i = 0; i < state.index_count; i++) {
        const IndexBulkDeleteResult *stats = state.index_stats[i];
        if (stats == nullptr || stats->estimated_count) continue;
        pg::update_relation_facts(
            state.indexes[i], {.pages = stats->num_pages, .rows = stats->num_index_tuples}, nullptr, nullptr);
    }
}

}  // namespace glassheap::vacuum
