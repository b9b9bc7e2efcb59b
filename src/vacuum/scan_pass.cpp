// vacuum/scan_pass.cpp — the first pass: which pages to visit, and rounds of index vacuuming in between.
//
// Why:    the visibility map says what can be skipped; memory says when the indexes have to be vacuumed.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "fsm/free_space_map.hpp"
#include "mvcc/visibility.hpp"
#include "vacuum/scan_page.hpp"
#include "vacuum/vacuum_state.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::vacuum {
namespace {

// Shorter runs are read all the same: the operating system reads ahead, and every page that is looked at
// brings relfrozenxid nearer.
constexpr BlockNo kSkipRunMin = 32;
constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;
constexpr auto kFailsafeEveryPages = static_cast<BlockNo>(4 * kGigabyte / page::kPageSize);
constexpr auto kFsmEveryPages = static_cast<BlockNo>(8 * kGigabyte / page::kPageSize);

// Tells block by block whether it has to be visited.
class SkipPlan {
public:
    SkipPlan(VacuumState &state, Buffer *vmbuf) : state_(state), vmbuf_(vmbuf) { look_ahead(0); }

    bool wants(BlockNo block) {
        if (block != next_needed_) return !skipping_run_;
        look_ahead(block + 1);
        return true;
    }

private:
    // Finds the next block that cannot be skipped, and decides about the run of blocks before it.
    void look_ahead(BlockNo from) {
        bool passes_unfrozen = false;
        BlockNo block = from;
        while (block < state_.pages_at_start && can_skip(block, &passes_unfrozen)) {
            pg::vacuum_pause();
            block++;
        }
        next_needed_ = block;
        skipping_run_ = block - from >= kSkipRunMin;
        if (skipping_run_ && passes_unfrozen) state_.skipped_all_visible = true;
    }

    bool can_skip(BlockNo block, bool *passes_unfrozen) {
        const std::uint8_t bits = vm::status(state_.rel, block, vmbuf_);
        if ((bits & vm::kAllVisibleBit) == 0) return false;
        // The last page is always visited: whether it is empty decides about a truncation and its lock.
        if (block == state_.pages_at_start - 1 || !state_.plan.skip_by_map) return false;
        if ((bits & vm::kAllFrozenBit) == 0) {
            if (state_.plan.aggressive) return false;
            *passes_unfrozen = true;
        }
        return true;
    }

    VacuumState &state_;
    Buffer *vmbuf_;
    BlockNo next_needed_ = 0;
    bool skipping_run_ = false;
};

void report_start(const VacuumState &state) {
    pg::report_scan_begins(state.pages_at_start, state.dead->capacity());
}

void release_map(Buffer *vmbuf) {
    if (BufferIsValid(*vmbuf)) ::ReleaseBuffer(*vmbuf);
    *vmbuf = InvalidBuffer;
}

// What has to be done now and then between two pages.
class Chores {
public:
    Chores(VacuumState &state, Buffer *vmbuf) : state_(state), vmbuf_(vmbuf) {}

    void before_block(BlockNo block) {
        pg::vacuum_pause();
        if (block - last_failsafe_check_ >= kFailsafeEveryPages) {
            failsafe_triggered(state_);
            last_failsafe_check_ = block;
        }
        if (!state_.dead->room_for_page()) vacuum_round(block);
        // With indexes, each round makes its free space known; without, there are no rounds.
        if (state_.index_count == 0 && block - next_fsm_block_ >= kFsmEveryPages) publish_free_space(block);
    }

    void publish_free_space(BlockNo end) {
        fsm::update_upper(state_.rel, next_fsm_block_, end);
        next_fsm_block_ = end;
    }

private:
    void vacuum_round(BlockNo block) {
        release_map(vmbuf_);  // no pin is held through something that may take hours
        state_.plan.may_bypass = false;
        decide_and_vacuum(state_);
        publish_free_space(block);
        ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_SCAN_HEAP);
    }

    VacuumState &state_;
    Buffer *vmbuf_;
    BlockNo last_failsafe_check_ = 0;
    BlockNo next_fsm_block_ = 0;
};

void scan_pages(VacuumState &state, Chores &chores, Buffer *vmbuf) {
    const PlaceGuard place(state, Phase::scan_heap);
    SkipPlan skip(state, vmbuf);
    for (BlockNo block = 0; block < state.pages_at_start; block++) {
        if (!skip.wants(block)) continue;
        state.counts.scanned_pages++;
        ::pgstat_progress_update_param(PROGRESS_VACUUM_HEAP_BLKS_SCANNED, block);
        state.place.block = block;
        chores.before_block(block);
        scan_page(state, block, vmbuf);
    }
    ::pgstat_progress_update_param(PROGRESS_VACUUM_HEAP_BLKS_SCANNED, state.pages_at_start);
}

void estimate_tuples(VacuumState &state) {
    Counts &counts = state.counts;
    counts.new_live_tuples = ::vac_estimate_reltuples(state.rel, state.pages_at_start, counts.scanned_pages,
                                                      static_cast<double>(counts.live_tuples));
    counts.new_rel_tuples = std::max(counts.new_live_tuples, 0.0) +
                            static_cast<double>(counts.recently_dead + counts.missed_dead);
}

}  // namespace

void scan_heap(VacuumState &state) {
    report_start(state);
    // Else a table that was loaded with synchronous_commit = off a moment ago is scanned in vain, and again
    // by the next VACUUM.  Nothing to flush: no cost.
    if (state.rel->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT)
        mvcc::flush_newest_commits(state.cutoffs.freeze.relfrozenxid, state.cutoffs.oldest_xmin);
    Buffer vmbuf = InvalidBuffer;
    Chores chores(state, &vmbuf);
    scan_pages(state, chores, &vmbuf);
    release_map(&vmbuf);
    estimate_tuples(state);

    if (state.dead->count() > 0) decide_and_vacuum(state);
    chores.publish_free_space(state.pages_at_start);
    ::pgstat_progress_update_param(PROGRESS_VACUUM_HEAP_BLKS_VACUUMED, state.pages_at_start);
    if (state.index_count > 0 && state.plan.index_cleanup) clean_up_indexes(state);
}

}  // namespace glassheap::vacuum
