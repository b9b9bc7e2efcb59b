// vacuum/report.cpp — the report in the form and words that people (and log analysers) know from heap.
//
// Errors: may longjmp (out of memory).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/report.hpp"

#include "pg/pg_process.hpp"

namespace glassheap::vacuum {
namespace {

using longest = long long;

double percent(BlockNo part, BlockNo whole) noexcept {
    return whole == 0 ? 100.0 : 100.0 * part / whole;
}

void say_headline(StringInfo text, const VacuumState &state, const VacuumParams &params) {
    const char *kind = "finished vacuuming";
    if (!state.plan.verbose && params.is_wraparound)
        kind = state.plan.aggressive ? "automatic aggressive vacuum to prevent wraparound of table"
                                     : "automatic vacuum to prevent wraparound of table";
    else if (!state.plan.verbose)
        kind = state.plan.aggressive ? "automatic aggressive vacuum of table" : "automatic vacuum of table";
    ::appendStringInfo(text, "%s \"%s.%s.%s\": index scans: %d\n", kind, state.database_name,
                       state.schema_name, state.table_name, state.counts.index_scans);
}

void say_counts(StringInfo text, const VacuumState &state) {
    const Counts &counts = state.counts;
    ::appendStringInfo(text, "pages: %u removed, %u remain, %u scanned (%.2f%% of total)\n",
                       counts.removed_pages, state.pages, counts.scanned_pages,
                       percent(counts.scanned_pages, state.pages_at_start));
    ::appendStringInfo(text, "tuples: %lld removed, %lld remain, %lld are dead but not yet removable\n",
                       static_cast<longest>(counts.tuples_deleted),
                       static_cast<longest>(counts.new_rel_tuples),
                       static_cast<longest>(counts.recently_dead));
    if (counts.missed_dead > 0)
        ::appendStringInfo(
            text, "tuples missed: %lld dead from %u pages not removed due to cleanup lock contention\n",
            static_cast<longest>(counts.missed_dead), counts.pages_with_missed_dead);
}

void say_cutoffs(StringInfo text, const VacuumState &state, const Updated &updated) {
    const Cutoffs &cutoffs = state.cutoffs;
    ::appendStringInfo(text, "removable cutoff: %u, which was %d XIDs old when operation ended\n",
                       cutoffs.oldest_xmin,
                       static_cast<int32>(::ReadNextTransactionId() - cutoffs.oldest_xmin));
    if (updated.frozenxid)
        ::appendStringInfo(text, "new relfrozenxid: %u, which is %d XIDs ahead of previous value\n",
                           state.new_relfrozenxid,
                           static_cast<int32>(state.new_relfrozenxid - cutoffs.freeze.relfrozenxid));
    if (updated.minmulti)
        ::appendStringInfo(text, "new relminmxid: %u, which is %d MXIDs ahead of previous value\n",
                           state.new_relminmxid,
                           static_cast<int32>(state.new_relminmxid - cutoffs.freeze.relminmxid));
}

void say_indexes(StringInfo text, const VacuumState &state) {
    const bool vacuumed = state.plan.index_vacuuming;
    const char *what = "index scan needed: ";
    if (!vacuumed)
        what = state.plan.failsafe ? "index scan bypassed by failsafe: " : "index scan bypassed: ";
    else if (state.index_count == 0 || state.counts.index_scans == 0)
        what = "index scan not needed: ";
    ::appendStringInfo(
        text, "%s%u pages from table (%.2f%% of total) %s %lld dead item identifiers%s\n", what,
        state.counts.pages_with_dead_items, percent(state.counts.pages_with_dead_items, state.pages_at_start),
        vacuumed ? "had" : "have", static_cast<longest>(state.counts.dead_items), vacuumed ? " removed" : "");
    for (int i = 0; i < state.index_count; i++) {
        const IndexBulkDeleteResult *stats = state.index_stats[i];
        if (stats == nullptr) continue;
        ::appendStringInfo(
            text, "index \"%s\": pages: %u in total, %u newly deleted, %u currently deleted, %u reusable\n",
            state.index_names[i], stats->num_pages, stats->pages_newly_deleted, stats->pages_deleted,
            stats->pages_free);
    }
}

void say_usage(StringInfo text, const StartOfWork &start, TimestampTz end_time) {
    const pg::BlockTimes now = pg::block_times();
    if (track_io_timing)
        ::appendStringInfo(text, "I/O timings: read: %.3f ms, write: %.3f ms\n",
                           static_cast<double>(now.read - start.block_times.read) / 1000,
                           static_cast<double>(now.write - start.block_times.write) / 1000);
    BufferUsage buffers = {};
    ::BufferUsageAccumDiff(&buffers, &pgBufferUsage, &start.buffers);
    WalUsage wal = {};
    ::WalUsageAccumDiff(&wal, &pgWalUsage, &start.wal);

    long seconds = 0;
    int microseconds = 0;
    ::TimestampDifference(start.time, end_time, &seconds, &microseconds);
    const double duration = static_cast<double>(seconds) + microseconds / 1000000.0;
    const auto rate = [duration](longest blocks) {
        return duration > 0 ? static_cast<double>(blocks) * BLCKSZ / (1024 * 1024) / duration : 0.0;
    };
    const longest read = buffers.shared_blks_read + buffers.local_blks_read;
    const longest dirtied = buffers.shared_blks_dirtied + buffers.local_blks_dirtied;
    ::appendStringInfo(text, "avg read rate: %.3f MB/s, avg write rate: %.3f MB/s\n", rate(read),
                       rate(dirtied));
    ::appendStringInfo(text, "buffer usage: %lld hits, %lld misses, %lld dirtied\n",
                       static_cast<longest>(buffers.shared_blks_hit) + buffers.local_blks_hit, read, dirtied);
    ::appendStringInfo(text, "WAL usage: %lld records, %lld full page images, %llu bytes\n",
                       static_cast<longest>(wal.wal_records), static_cast<longest>(wal.wal_fpi),
                       static_cast<unsigned long long>(wal.wal_bytes));
    ::appendStringInfo(text, "system usage: %s", ::pg_rusage_show(&start.rusage));
}

}  // namespace

StartOfWork note_start(const VacuumParams &params) {
    StartOfWork start = {};
    start.wal = pgWalUsage;
    start.buffers = pgBufferUsage;
    start.wanted = (params.options & VACOPT_VERBOSE) != 0 ||
                   (pg::is_autovacuum_worker() && params.log_min_duration >= 0);
    if (!start.wanted) return start;
    ::pg_rusage_init(&start.rusage);
    start.time = ::GetCurrentTimestamp();
    start.block_times = pg::block_times();
    return start;
}

void report(const VacuumState &state, const VacuumParams &params, const StartOfWork &start,
            const Updated &updated) {
    if (!start.wanted) return;
    const TimestampTz now = ::GetCurrentTimestamp();
    if (!state.plan.verbose && params.log_min_duration > 0 &&
        !::TimestampDifferenceExceeds(start.time, now, params.log_min_duration))
        return;
    StringInfoData text;
    ::initStringInfo(&text);
    say_headline(&text, state, params);
    say_counts(&text, state);
    say_cutoffs(&text, state, updated);
    say_indexes(&text, state);
    say_usage(&text, start, now);
    ereport(state.plan.verbose ? INFO : LOG, (errmsg_internal("%s", text.data)));
    ::pfree(text.data);
}

}  // namespace glassheap::vacuum
