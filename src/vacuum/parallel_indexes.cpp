// vacuum/parallel_indexes.cpp — several processes vacuum the indexes of one table at once.
//
// Why:    with several large indexes, index passes are most of a vacuum.  PostgreSQL 15's own parallel vacuum
//         shares its sorted array of TIDs for the whole vacuum; our dead items are so small that each round
//         copies them into a segment of its own, and parallel mode lasts no longer than the round.
//
//     segment:  | round | an IndexSlot per index | dead items (a copy) | usage per worker | query text |
//
// Invariants: vacuum.R1 an index is done by exactly one process: next_index hands them out; those that
//            workers may not do are the leader's.
//         vacuum.R2 a process writes only the slot of the index it does, and the leader reads the slots after
//            all workers have ended.
// Locking: workers take the leader's locks (a lock group).
// Errors: may longjmp; an error in a worker is raised again in the leader, whose abort ends the others.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/error_context.hpp"
#include "vacuum/index_work.hpp"

namespace glassheap::vacuum {
namespace {

enum Key : uint64 { kRound = 1, kSlots, kDeadItems, kBufferUsage, kWalUsage, kQueryText };

struct Round {
    Oid table;
    IndexWork work;
    int work_mem;  // maintenance_work_mem of each process
    BlockNo blocks;
    std::size_t dead_words;
    pg_atomic_uint32 cost_balance;
    pg_atomic_uint32 active_workers;
    pg_atomic_uint32 next_index;
};
struct IndexSlot {
    IndexBulkDeleteResult stats;
    bool has_stats;
    bool for_workers;
    bool done;
};
struct Segment {
    ParallelContext *context;
    Round *round;
    IndexSlot *slots;
    BufferUsage *buffers;
    WalUsage *wal;
};

// ---- what both sides do

void put_stats(VacuumState &state, int which, const IndexSlot &slot) {
    if (!slot.has_stats) return;
    if (state.index_stats[which] == nullptr)
        state.index_stats[which] = pg::make_zeroed<IndexBulkDeleteResult>();
    *state.index_stats[which] = slot.stats;
}

void take_stats(const VacuumState &state, int which, IndexSlot *slot) {
    slot->has_stats = state.index_stats[which] != nullptr;
    if (slot->has_stats) slot->stats = *state.index_stats[which];
}

void do_slot(VacuumState &state, int which, const Round &round, IndexSlot *slot) {
    put_stats(state, which, *slot);
    do_index_work(state, which, round.work);
    take_stats(state, which, slot);
    slot->done = true;
}

// The vacuum delay is shared out among as many processes as are at work.
class ActiveWorker {
public:
    ActiveWorker() {
        if (VacuumActiveNWorkers != nullptr) pg_atomic_add_fetch_u32(VacuumActiveNWorkers, 1);
    }
    ~ActiveWorker() {
        if (VacuumActiveNWorkers != nullptr) pg_atomic_sub_fetch_u32(VacuumActiveNWorkers, 1);
    }
    ActiveWorker(const ActiveWorker &) = delete;
    ActiveWorker &operator=(const ActiveWorker &) = delete;
};

void do_shared_slots(VacuumState &state, Round *round, IndexSlot *slots) {
    const ActiveWorker active;
    for (;;) {
        const auto which = static_cast<int>(pg_atomic_fetch_add_u32(&round->next_index, 1));
        if (which >= state.index_count) return;
        if (slots[which].for_workers) do_slot(state, which, *round, &slots[which]);
    }
}

// ---- the leader's decision

bool workers_may_do(const VacuumState &state, Relation index, IndexJob job) {
    const uint8 options = index->rd_indam->amparallelvacuumoptions;
    if (options == VACUUM_OPTION_NO_PARALLEL) return false;
    if (RelationGetNumberOfBlocks(index) < static_cast<BlockNo>(min_parallel_index_scan_size)) return false;
    if (job == IndexJob::bulk_delete) return (options & VACUUM_OPTION_PARALLEL_BULKDEL) != 0;
    if ((options & VACUUM_OPTION_PARALLEL_CLEANUP) != 0) return true;
    // Some indexes have nothing left to clean up once they were vacuumed.
    return (options & VACUUM_OPTION_PARALLEL_COND_CLEANUP) != 0 && state.counts.index_scans == 0;
}

// One index is the leader's.
int count_workers(const VacuumState &state, IndexJob job) {
    if (state.workers_wanted < 0 || state.index_count < 2 || !IsUnderPostmaster) return 0;
    int useful = -1;
    for (int i = 0; i < state.index_count; i++)
        if (workers_may_do(state, state.indexes[i], job)) useful++;
    if (state.workers_wanted > 0) useful = std::min(useful, state.workers_wanted);
    return std::max(std::min(useful, max_parallel_maintenance_workers), 0);
}

// ---- the segment

template <typename T>
T *allocate(ParallelContext *context, Key key, std::size_t count) {
    auto *object = static_cast<T *>(::shm_toc_allocate(context->toc, sizeof(T) * count));
    ::shm_toc_insert(context->toc, key, object);
    return object;
}

void estimate(ParallelContext *context, std::size_t bytes) {
    shm_toc_estimate_chunk(&context->estimator, bytes);
    shm_toc_estimate_keys(&context->estimator, 1);
}

std::size_t query_bytes() {
    return debug_query_string != nullptr ? std::strlen(debug_query_string) + 1 : 0;
}

int work_mem_per_process(const VacuumState &state, int workers) {
    int users = 0;
    for (int i = 0; i < state.index_count; i++)
        if (state.indexes[i]->rd_indam->amusemaintenanceworkmem) users++;
    return users > 0 ? maintenance_work_mem / std::min(workers, users) : maintenance_work_mem;
}

void fill_segment(const VacuumState &state, const IndexWork &work, Segment *segment) {
    ParallelContext *context = segment->context;
    Round &round = *segment->round;
    const std::span<const std::uint64_t> dead = state.dead->contents();
    round.table = RelationGetRelid(state.rel);
    round.work = work;
    round.work_mem = work_mem_per_process(state, context->nworkers);
    round.blocks = state.pages_at_start;
    round.dead_words = dead.size();
    pg_atomic_init_u32(&round.cost_balance, static_cast<uint32>(VacuumCostBalance));
    pg_atomic_init_u32(&round.active_workers, 0);
    pg_atomic_init_u32(&round.next_index, 0);
    std::memcpy(allocate<std::uint64_t>(context, kDeadItems, dead.size()), dead.data(), dead.size_bytes());
    for (int i = 0; i < state.index_count; i++) {
        segment->slots[i] = {};
        segment->slots[i].for_workers = workers_may_do(state, state.indexes[i], work.job);
        take_stats(state, i, &segment->slots[i]);
    }
    if (query_bytes() > 0)
        std::memcpy(allocate<char>(context, kQueryText, query_bytes()), debug_query_string, query_bytes());
}

// False when there is no shared memory for it.
bool make_segment(const VacuumState &state, const IndexWork &work, int workers, Segment *segment) {
    ParallelContext *context = ::CreateParallelContext("glassheap", "gh_vacuum_worker_main", workers);
    segment->context = context;
    const auto count = static_cast<std::size_t>(workers);
    const auto indexes = static_cast<std::size_t>(state.index_count);
    estimate(context, sizeof(Round));
    estimate(context, sizeof(IndexSlot) * indexes);
    estimate(context, state.dead->contents().size_bytes());
    estimate(context, sizeof(BufferUsage) * count);
    estimate(context, sizeof(WalUsage) * count);
    if (query_bytes() > 0) estimate(context, query_bytes());
    ::InitializeParallelDSM(context);
    if (context->nworkers == 0) return false;
    segment->round = allocate<Round>(context, kRound, 1);
    segment->slots = allocate<IndexSlot>(context, kSlots, indexes);
    segment->buffers = allocate<BufferUsage>(context, kBufferUsage, count);
    segment->wal = allocate<WalUsage>(context, kWalUsage, count);
    fill_segment(state, work, segment);
    return true;
}

// ---- the leader's round

void launch(const VacuumState &state, const Segment &segment) {
    ParallelContext *context = segment.context;
    ::LaunchParallelWorkers(context);
    if (context->nworkers_launched > 0) {
        VacuumCostBalance = 0;  // it is in the segment now
        VacuumCostBalanceLocal = 0;
        VacuumSharedCostBalance = &segment.round->cost_balance;
        VacuumActiveNWorkers = &segment.round->active_workers;
    }
    const char *purpose =
        segment.round->work.job == IndexJob::bulk_delete ? "index vacuuming" : "index cleanup";
    ereport(state.plan.verbose ? INFO : DEBUG2,
            (errmsg_internal(
                "launched %d parallel vacuum %s for %s (planned: %d)", context->nworkers_launched,
                context->nworkers_launched == 1 ? "worker" : "workers", purpose, context->nworkers)));
}

void do_leaders_slots(VacuumState &state, const Segment &segment) {
    const ActiveWorker active;
    for (int i = 0; i < state.index_count; i++)
        if (!segment.slots[i].for_workers) do_slot(state, i, *segment.round, &segment.slots[i]);
}

void wait_for_workers(const Segment &segment) {
    ParallelContext *context = segment.context;
    ::WaitForParallelWorkersToFinish(context);
    for (int i = 0; i < context->nworkers_launched; i++)
        ::InstrAccumParallelQuery(&segment.buffers[i], &segment.wal[i]);
    if (VacuumSharedCostBalance == nullptr) return;
    VacuumCostBalance = static_cast<int>(pg_atomic_read_u32(VacuumSharedCostBalance));
    VacuumSharedCostBalance = nullptr;
    VacuumActiveNWorkers = nullptr;
}

void collect(VacuumState &state, const Segment &segment) {
    for (int i = 0; i < state.index_count; i++) {
        if (!segment.slots[i].done)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg_internal("nobody vacuumed index \"%s\"", state.index_names[i])));
        put_stats(state, i, segment.slots[i]);
    }
}

// ---- a worker

VacuumState *make_worker_state(const Round &round, shm_toc *toc) {
    auto *state = pg::make_zeroed<VacuumState>();
    state->rel = ::table_open(round.table, ShareUpdateExclusiveLock);
    state->schema_name = ::get_namespace_name(RelationGetNamespace(state->rel));
    state->table_name = ::pstrdup(RelationGetRelationName(state->rel));
    state->place = {};
    open_indexes(*state);  // in the order of their oids, as the leader
    state->strategy = ::GetAccessStrategy(BAS_VACUUM);
    auto *words = static_cast<std::uint64_t *>(::shm_toc_lookup(toc, kDeadItems, false));
    state->dead = new (pg::make_raw<DeadItems>())
        DeadItems(DeadItems::view_of_copy(std::span(words, round.dead_words), round.blocks));
    return state;
}

void show_activity(shm_toc *toc) {
    debug_query_string = static_cast<const char *>(::shm_toc_lookup(toc, kQueryText, true));
    ::pgstat_report_activity(STATE_RUNNING, debug_query_string);
}

void report_usage(shm_toc *toc) {
    auto *buffers = static_cast<BufferUsage *>(::shm_toc_lookup(toc, kBufferUsage, false));
    auto *wal = static_cast<WalUsage *>(::shm_toc_lookup(toc, kWalUsage, false));
    ::InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);
}

}  // namespace

extern "C" PGDLLEXPORT void gh_vacuum_worker_main(dsm_segment *, shm_toc *toc) {
    auto *round = static_cast<Round *>(::shm_toc_lookup(toc, kRound, false));
    auto *slots = static_cast<IndexSlot *>(::shm_toc_lookup(toc, kSlots, false));
    show_activity(toc);
    VacuumState &state = *make_worker_state(*round, toc);
    maintenance_work_mem = round->work_mem;
    pg::begin_shared_cost(&round->cost_balance, &round->active_workers);

    ErrorContextCallback callback = {error_context_stack, gh_vacuum_error_context, &state};
    error_context_stack = &callback;
    ::InstrStartParallelQuery();
    do_shared_slots(state, round, slots);
    report_usage(toc);
    error_context_stack = callback.previous;

    ::vac_close_indexes(state.index_count, state.indexes, RowExclusiveLock);
    ::table_close(state.rel, ShareUpdateExclusiveLock);
    ::FreeAccessStrategy(state.strategy);
}

bool do_index_work_in_parallel(VacuumState &state, const IndexWork &work) {
    const int workers = count_workers(state, work.job);
    if (workers == 0) return false;
    Segment segment = {};
    ::EnterParallelMode();
    const bool possible = make_segment(state, work, workers, &segment);
    if (possible) {
        launch(state, segment);
        do_leaders_slots(state, segment);
        do_shared_slots(state, segment.round, segment.slots);
        wait_for_workers(segment);
        collect(state, segment);
    }
    ::DestroyParallelContext(segment.context);
    ::ExitParallelMode();
    return possible;
}

}  // namespace glassheap::vacuum
