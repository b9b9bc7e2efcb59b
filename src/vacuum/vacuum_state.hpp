// vacuum/vacuum_state.hpp — what the phases of one VACUUM share.  Internal to the room.
//
// Why:    phases are files (cutoffs, scan pass, index pass, second pass, truncation, report); this is what
//         one leaves behind for the next.
// Invariants: vacuum.U1 heap before index before heap: a line pointer becomes unused only after every index
//            has forgotten it (tables without indexes: at once).
//         vacuum.U2 new_relfrozenxid and new_relminmxid are never newer than any id left in a page that was
//            scanned; they count only if no page was skipped that may hold older ones.
// Locking: ShareUpdateExclusive on the table keeps other vacuums away, so that dead line pointers stay dead
//         between the passes.
// Errors: everything here is palloc'd in the vacuum's context, and abandonable.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "mvcc/freeze.hpp"
#include "pg/pg_vacuum.hpp"
#include "vacuum/dead_items.hpp"

namespace glassheap::vacuum {

enum class Phase : std::uint8_t { none, scan_heap, vacuum_index, vacuum_heap, index_cleanup, truncate };

// Where we are, for the context line of error messages.
struct Place {
    Phase phase = Phase::none;
    BlockNo block = kInvalidBlock;
    const char *index_name = nullptr;
    SlotNo slot = kInvalidSlot;  // kInvalidSlot: the page as a whole
};

struct Plan {  // what was asked for, as far as it still holds: the failsafe takes things back
    bool verbose;
    bool aggressive;   // must reach the freeze limit everywhere
    bool skip_by_map;  // false: DISABLE_PAGE_SKIPPING
    bool index_vacuuming;
    bool index_cleanup;
    bool truncate;
    bool may_bypass;  // index vacuuming may be left out when hardly anything is dead
    bool failsafe;    // wraparound is near: only what advances relfrozenxid
};

struct Cutoffs {
    Xid oldest_xmin;
    MultiXactId oldest_multi;
    mvcc::FreezeCutoffs freeze;
};

struct Counts {
    BlockNo scanned_pages;
    BlockNo removed_pages;
    BlockNo pages_with_dead_items;
    BlockNo pages_with_missed_dead;
    BlockNo nonempty_pages;  // last page that has tuples, plus one
    int index_scans;
    std::int64_t tuples_deleted;
    std::int64_t dead_items;
    std::int64_t live_tuples;
    std::int64_t recently_dead;
    std::int64_t missed_dead;
    double new_live_tuples;  // estimates for the whole table
    double new_rel_tuples;
};

struct VacuumState {
    Relation rel;
    const char *database_name;
    const char *schema_name;
    const char *table_name;
    Relation *indexes;
    int index_count;
    const char **index_names;  // the report comes after the indexes are closed
    IndexBulkDeleteResult **index_stats;
    BufferAccessStrategy strategy;  // for the indexes, which live in shared_buffers
    buffer::AccessRing *ring;       // for our pages
    GlobalVisState *vistest;

    int workers_wanted;  // PARALLEL: -1 none, 0 as many as make sense

    Plan plan;
    Cutoffs cutoffs;
    BlockNo pages_at_start;
    BlockNo pages;  // after truncation: what is left
    double old_live_tuples;
    Xid new_relfrozenxid;
    MultiXactId new_relminmxid;
    bool skipped_all_visible;

    DeadItems *dead;
    std::uint64_t *dead_memory;
    Counts counts;
    Place place;
};

// For the length of a block of work: says where we are, and says what was before on the way out.
class PlaceGuard {
public:
    PlaceGuard(VacuumState &state, Phase phase, BlockNo block = kInvalidBlock,
               const char *index_name = nullptr) noexcept
        : state_(state), saved_(state.place) {
        state.place = {.phase = phase, .block = block, .index_name = index_name};
    }
    ~PlaceGuard() { state_.place = saved_; }
    PlaceGuard(const PlaceGuard &) = delete;
    PlaceGuard &operator=(const PlaceGuard &) = delete;

private:
    VacuumState &state_;
    Place saved_;
};

// ---- phases, in order
void scan_heap(VacuumState &state);  // scan_pass.cpp; calls the next two as memory demands, and at the end
bool vacuum_indexes(VacuumState &state);                  // index_pass.cpp; false: the failsafe ended it
void vacuum_heap_pages(VacuumState &state);               // second_pass.cpp
void clean_up_indexes(VacuumState &state);                // index_pass.cpp
void update_index_stats(VacuumState &state);              // index_pass.cpp
bool should_truncate(const VacuumState &state) noexcept;  // truncate.cpp
void truncate_heap(VacuumState &state);                   // truncate.cpp

// ---- shared by phases
void open_indexes(VacuumState &state);         // vacuum.cpp
bool failsafe_triggered(VacuumState &state);   // failsafe.cpp
void allocate_dead_items(VacuumState &state);  // dead_memory.cpp
void release_dead_items(VacuumState &state);
void collect_dead_items(VacuumState &state, BlockNo block, std::span<const SlotNo> slots);
void decide_and_vacuum(VacuumState &state);  // rounds.cpp: one round of index and heap vacuuming, or bypass

// Is every tuple of the page visible to everybody, once the line pointers `gone` are no more?
struct PageJudgement {
    bool all_visible;
    bool all_frozen;  // meaningful only with all_visible
    Xid newest_xmin;
};
PageJudgement judge_page(VacuumState &state, const buffer::PinnedPage &page, std::span<const SlotNo> gone);

}  // namespace glassheap::vacuum
