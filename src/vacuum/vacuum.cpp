// vacuum/vacuum.cpp — VACUUM of one table: from the command's options to the table's new statistics.
//
// Why:    reads as the table of contents of the room: set up, scan, vacuum, truncate, tell.
// Errors: may longjmp at any point; what was done so far stands, and the next vacuum goes on from there.
// See:    vacuum/README.md; PG: access/heap/vacuumlazy.c (what users may rely on).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/vacuum.hpp"

#include "vacuum/error_context.hpp"
#include "vacuum/report.hpp"
#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

Plan plan_of(const VacuumParams &params) {
    Plan plan = {};
    plan.verbose = (params.options & VACOPT_VERBOSE) != 0;
    plan.skip_by_map = (params.options & VACOPT_DISABLE_PAGE_SKIPPING) == 0;
    const bool forbidden = params.index_cleanup == VACOPTVALUE_DISABLED;
    plan.index_vacuuming = !forbidden;
    plan.index_cleanup = !forbidden;
    plan.may_bypass = params.index_cleanup != VACOPTVALUE_ENABLED;
    plan.truncate = params.truncate != VACOPTVALUE_DISABLED;
    return plan;
}

void find_cutoffs(VacuumState &state, const VacuumParams &params) {
    Cutoffs &cutoffs = state.cutoffs;
    cutoffs.freeze.relfrozenxid = state.rel->rd_rel->relfrozenxid;
    cutoffs.freeze.relminmxid = state.rel->rd_rel->relminmxid;
    pg::VacuumLimits limits;
    state.plan.aggressive = pg::find_vacuum_limits(state.rel, params, &limits);
    cutoffs.oldest_xmin = limits.oldest_xmin;
    cutoffs.oldest_multi = limits.oldest_multi;
    cutoffs.freeze.freeze_limit = limits.freeze_limit;
    cutoffs.freeze.multi_cutoff = limits.multi_cutoff;
    // Who forbids skipping wants every page looked at, and so may as well have the result of it.
    if (!state.plan.skip_by_map) state.plan.aggressive = true;
    state.new_relfrozenxid = cutoffs.oldest_xmin;
    state.new_relminmxid = cutoffs.oldest_multi;
}

void announce(const VacuumState &state) {
    if (!state.plan.verbose) return;
    const char *format =
        state.plan.aggressive ? "aggressively vacuuming \"%s.%s.%s\"" : "vacuuming \"%s.%s.%s\"";
    ereport(INFO, (errmsg_internal(format, state.database_name, state.schema_name, state.table_name)));
}

// Temporary tables are nobody else's to read.
void choose_workers(VacuumState &state, const VacuumParams &params) {
    state.workers_wanted = params.nworkers;
    if (!RelationUsesLocalBuffers(state.rel)) return;
    state.workers_wanted = -1;
    if (params.nworkers > 0 && state.index_count > 1 && state.plan.index_vacuuming)
        ereport(WARNING, (errmsg("disabling parallel option of vacuum on \"%s\" --- cannot vacuum temporary "
                                 "tables in parallel",
                                 state.table_name)));
}

// The size is taken after the cutoffs: a tuple with an xid older than them is then surely within it.
void open_table(VacuumState &state, const VacuumParams &params) {
    open_indexes(state);
    state.pages_at_start = RelationGetNumberOfBlocks(state.rel);
    state.pages = state.pages_at_start;
    state.vistest = ::GlobalVisTestFor(state.rel);
    failsafe_triggered(state);
    choose_workers(state, params);
    allocate_dead_items(state);
}

// What was found goes to pg_class (planner, wraparound) and to the cumulative statistics.
Updated update_table_stats(VacuumState &state) {
    Updated updated = {};
    if (state.skipped_all_visible) {
        // Skipped pages may hold ids older than any that was seen.
        state.new_relfrozenxid = kInvalidXid;
        state.new_relminmxid = InvalidMultiXactId;
    }
    pg::RelationFacts facts = {.pages = state.pages,
                               .rows = state.counts.new_live_tuples,
                               .has_indexes = state.index_count > 0,
                               .frozenxid = state.new_relfrozenxid,
                               .minmulti = state.new_relminmxid};
    ::visibilitymap_count(state.rel, &facts.all_visible, nullptr);
    facts.all_visible = std::min(facts.all_visible, state.pages);
    pg::update_relation_facts(state.rel, facts, &updated.frozenxid, &updated.minmulti);
    const auto live = static_cast<PgStat_Counter>(std::max(state.counts.new_live_tuples, 0.0));
    pg::report_vacuum(state.rel, live, state.counts.recently_dead + state.counts.missed_dead);
    return updated;
}

VacuumState *make_state(Relation rel, const VacuumParams &params, BufferAccessStrategy strategy) {
    auto *state = pg::make_zeroed<VacuumState>();
    state->rel = rel;
    // Copies: the relation's own entry may be rebuilt under us.
    state->database_name = ::get_database_name(MyDatabaseId);
    state->schema_name = ::get_namespace_name(RelationGetNamespace(rel));
    state->table_name = ::pstrdup(RelationGetRelationName(rel));
    state->strategy = strategy;
    state->ring = buffer::make_ring(buffer::RingKind::vacuum);
    state->old_live_tuples = rel->rd_rel->reltuples;
    state->plan = plan_of(params);
    state->place = {};
    return state;
}

void process_table(VacuumState &state, const VacuumParams &params) {
    open_table(state, params);
    scan_heap(state);
    if (state.plan.index_cleanup) update_index_stats(state);
    ::vac_close_indexes(state.index_count, state.indexes, NoLock);
    if (should_truncate(state)) truncate_heap(state);
}

}  // namespace

void open_indexes(VacuumState &state) {
    ::vac_open_indexes(state.rel, RowExclusiveLock, &state.index_count, &state.indexes);
    const auto count = static_cast<std::size_t>(std::max(state.index_count, 1));
    state.index_stats =
        static_cast<IndexBulkDeleteResult **>(::palloc0(sizeof(IndexBulkDeleteResult *) * count));
    state.index_names = static_cast<const char **>(::palloc0(sizeof(char *) * count));
    for (int i = 0; i < state.index_count; i++)
        state.index_names[i] = ::pstrdup(RelationGetRelationName(state.indexes[i]));
}

void vacuum_relation(Relation rel, VacuumParams *params, BufferAccessStrategy strategy) {
    const StartOfWork start = note_start(*params);
    ::pgstat_progress_start_command(PROGRESS_COMMAND_VACUUM, RelationGetRelid(rel));

    VacuumState &state = *make_state(rel, *params, strategy);
    find_cutoffs(state, *params);

    ErrorContextCallback callback = {error_context_stack, gh_vacuum_error_context, &state};
    error_context_stack = &callback;
    announce(state);
    process_table(state, *params);
    error_context_stack = callback.previous;

    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_FINAL_CLEANUP);
    const Updated updated = update_table_stats(state);
    ::pgstat_progress_end_command();
    report(state, *params, start, updated);

    for (int i = 0; i < state.index_count; i++)
        if (state.index_stats[i] != nullptr) ::pfree(state.index_stats[i]);
    release_dead_items(state);
    buffer::free_ring(state.ring);
}

}  // namespace glassheap::vacuum
