// pg/pg_usage.hpp — PostgreSQL's counters of work: pages hit, read, dirtied, the time of reading and writing,
// vacuum's cost, rows returned.
//
// Versions: 16 names the counters of a table without their prefixes (counts.tuples_returned; live_tuples) and
//         counts pages added to any fork as written; 17 splits BufferUsage's times (shared_blk_read_time,
//         local_blk_read_time, ...); 18 has no VacuumPageHit, VacuumPageMiss and VacuumPageDirty.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

inline void charge_hit() noexcept {
    ++VacuumPageHit;
    if (VacuumCostActive) VacuumCostBalance += VacuumCostPageHit;
}
inline void charge_miss() noexcept {
    ++VacuumPageMiss;
    if (VacuumCostActive) VacuumCostBalance += VacuumCostPageMiss;
}
inline void count_page_hit() noexcept {
    ++pgBufferUsage.shared_blks_hit;
    charge_hit();
}
inline void count_page_read() noexcept {
    ++pgBufferUsage.shared_blks_read;
    charge_miss();
}
inline void count_page_dirtied() noexcept {
    ++pgBufferUsage.shared_blks_dirtied;
    ++VacuumPageDirty;
    if (VacuumCostActive) VacuumCostBalance += VacuumCostPageDirty;
}
// Pages added to a file.  Those of the map core adds without counting them (until 16).
inline void count_pages_added(ForkNumber fork, bool local, BlockNumber count) noexcept {
    if (fork != MAIN_FORKNUM) return;
    (local ? pgBufferUsage.local_blks_written : pgBufferUsage.shared_blks_written) += count;
}
// Of temporary tables: as core does, dirtying them costs vacuum nothing.
inline void count_local_hit() noexcept {
    ++pgBufferUsage.local_blks_hit;
    charge_hit();
}
inline void count_local_read() noexcept {
    ++pgBufferUsage.local_blks_read;
    charge_miss();
}

// ---- times, kept while track_io_timing is on
inline instr_time &shared_read_time() noexcept {
    return pgBufferUsage.blk_read_time;
}
inline instr_time &shared_write_time() noexcept {
    return pgBufferUsage.blk_write_time;
}
inline instr_time &local_read_time() noexcept {
    return pgBufferUsage.blk_read_time;
}
// For the database's statistics.
inline void count_read_time(std::uint64_t micros) noexcept {
    pgstat_count_buffer_read_time(static_cast<PgStat_Counter>(micros));
}
struct BlockTimes {  // of this process, in microseconds
    PgStat_Counter read;
    PgStat_Counter write;
};
inline BlockTimes block_times() noexcept {
    return {pgStatBlockReadTime, pgStatBlockWriteTime};
}

// ---- a table's statistics
inline void count_row_returned(PgStat_TableStatus *table) noexcept {
    ++table->t_counts.t_tuples_returned;
}
inline PgStat_Counter live_rows(const PgStat_StatTabEntry &table) noexcept {
    return table.n_live_tuples;
}
inline PgStat_Counter dead_rows(const PgStat_StatTabEntry &table) noexcept {
    return table.n_dead_tuples;
}

}  // namespace glassheap::pg
