// vacuum/truncate.cpp — giving an empty tail back to the file system.
//
// Why:    the lock that keeps everybody out is asked for politely, held briefly, and given up as soon as
//         somebody waits for it.
// Locking: AccessExclusiveLock on the table, conditionally; page latches one at a time under it.
// Errors: may longjmp.
// WAL:    by lifecycle::truncate_tail.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "debug/stop_points.hpp"
#include "lifecycle/lifecycle.hpp"
#include "pg/pg_old_snapshot.hpp"
#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

// The tail must be worth a lock that a standby has to replay.
constexpr BlockNo kPagesMin = 1000;
constexpr BlockNo kPagesFraction = 16;

constexpr int kLockWaitMs = 50;
constexpr int kLockTimeoutMs = 5000;
constexpr int kWaiterCheckMs = 20;
constexpr BlockNo kWaiterCheckPages = 32;
constexpr BlockNo kPrefetchPages = 32;

bool lock_exclusively(const VacuumState &state) {
    for (int waited = 0; waited <= kLockTimeoutMs; waited += kLockWaitMs) {
        if (::ConditionalLockRelation(state.rel, AccessExclusiveLock)) return true;
        CHECK_FOR_INTERRUPTS();
        (void)::WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLockWaitMs,
                          WAIT_EVENT_VACUUM_TRUNCATE);
        ::ResetLatch(MyLatch);
    }
    ereport(state.plan.verbose ? INFO : DEBUG2,
            (errmsg("\"%s\": stopping truncate due to conflicting lock request", state.table_name)));
    return false;
}

bool has_used_line(page::PageView page) {
    for (SlotNo slot = 1; slot <= page.max_slot(); slot++)
        if (page.line(slot).is_used()) return true;
    return false;
}

bool page_is_empty(const VacuumState &state, BlockNo block) {
    const buffer::PinnedPage page = buffer::read_page(state.rel, MAIN_FORKNUM, block, state.ring);
    const buffer::ShareLatch latch(page);
    // A dead line pointer counts as used: its index entries may still be there.
    return page.view().is_new() || !has_used_line(page.view());
}

// Tells whether somebody waits for our lock, asking the lock manager only now and then.
class WaiterWatch {
public:
    explicit WaiterWatch(Relation rel) : rel_(rel) { INSTR_TIME_SET_CURRENT(last_); }
    bool somebody_waits() {
        instr_time now;
        INSTR_TIME_SET_CURRENT(now);
        instr_time elapsed = now;
        INSTR_TIME_SUBTRACT(elapsed, last_);
        if (INSTR_TIME_GET_MILLISEC(elapsed) < kWaiterCheckMs) return false;
        last_ = now;
        return ::LockHasWaitersRelation(rel_, AccessExclusiveLock);
    }

private:
    Relation rel_;
    instr_time last_;
};

// Backwards from the end to the last page that must stay; returns the new number of pages.
BlockNo find_end(const VacuumState &state, bool *interrupted) {
    WaiterWatch watch(state.rel);
    BlockNo prefetched_from = kInvalidBlock;
    BlockNo end = state.pages;
    while (end > state.counts.nonempty_pages) {
        if (end % kWaiterCheckPages == 0 && watch.somebody_waits()) {
            ereport(state.plan.verbose ? INFO : DEBUG2,
                    (errmsg("table \"%s\": suspending truncate due to conflicting lock request",
                            state.table_name)));
            *interrupted = true;
            return end;
        }
        // No delay point: we keep everybody out.
        CHECK_FOR_INTERRUPTS();
        const BlockNo block = end - 1;
        if (prefetched_from > block) {
            // The file is read backwards, which no operating system expects: announce pieces forwards.
            prefetched_from = block - block % kPrefetchPages;
            buffer::prefetch(state.rel, MAIN_FORKNUM, prefetched_from,
                             static_cast<int>(block - prefetched_from + 1));
        }
        if (!page_is_empty(state, block)) return end;
        end = block;
    }
    return end;
}

// One attempt under the lock.  *interrupted: somebody waited; what was cut off so far may not be all.
bool truncate_once(VacuumState &state, bool *interrupted) {
    const BlockNo before = state.pages;
    if (RelationGetNumberOfBlocks(state.rel) != before) return false;  // grown: the new tail is in use
    const BlockNo after = find_end(state, interrupted);
    state.place.block = after;
    if (after >= before) return false;

    GH_STOP_POINT("vacuum.before_truncate");
    lifecycle::truncate_tail(state.rel, after);
    state.counts.removed_pages += before - after;
    state.pages = after;
    return true;
}

}  // namespace

bool should_truncate(const VacuumState &state) noexcept {
    // Where old snapshots may fail, a scan must be able to find out from a page that its snapshot is too old.
    if (!state.plan.truncate || state.plan.failsafe || pg::old_snapshots_may_fail()) return false;
    const BlockNo empty = state.pages - state.counts.nonempty_pages;
    return empty > 0 && (empty >= kPagesMin || empty >= state.pages / kPagesFraction);
}

void truncate_heap(VacuumState &state) {
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_TRUNCATE);
    const PlaceGuard place(state, Phase::truncate, state.counts.nonempty_pages);
    bool again = true;
    while (again) {
        if (!lock_exclusively(state)) return;
        bool interrupted = false;
        const BlockNo before = state.pages;
        const bool truncated = truncate_once(state, &interrupted);
        ::UnlockRelation(state.rel, AccessExclusiveLock);
        if (!truncated) return;
        ereport(state.plan.verbose ? INFO : DEBUG2,
                (errmsg("table \"%s\": truncated %u to %u pages", state.table_name, before, state.pages)));
        again = interrupted && state.pages > state.counts.nonempty_pages;
    }
}

}  // namespace glassheap::vacuum
