// scan/index_build.cpp — the rows that a new index gets entries for.
//
// Why:    an index must hold every row that any snapshot may still look for through it, so an ordinary build
//         sees all versions (SnapshotAny) and decides by itself; a concurrent build takes what an MVCC
//         snapshot sees.
// Invariants: scan.N1 rows are entered under the root of their HOT chain.
//         scan.N2 a HOT-updated version that only old snapshots see is left out and marks the index as broken
//            for them (ii_BrokenHotChain): its successor stands under the same root.
//         scan.N3 what counts as a live row is what ANALYZE counts (scan/analyze.cpp).
// Locking: the caller has ShareLock on the table (or less, for catalogs and BRIN ranges); latches are taken
//         per page, and per row where rows must be judged, and never held while waiting for a transaction.
// Errors: may longjmp.  Progress: PROGRESS_SCAN_BLOCKS_*.
// See:    PG: access/heap/heapam_handler.c, README.HOT (facts)
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/visibility.hpp"
#include "scan/index_rows.hpp"
#include "scan/page_rows.hpp"
#include "scan/scans.hpp"

namespace glassheap::scan {

namespace {

struct Build {
    Relation table;
    IndexInfo *info;
    RowScan *scan;
    Xid oldest_xmin;
    bool any_visible;
    bool unique;     // uniqueness or exclusion is checked: doubtful rows must be waited for
    bool catalog;    // catalogs release their locks before commit: rows in progress are no surprise
    bool live_page;  // of the scan's present block: nobody need be asked
    double live_rows;
};

enum class Verdict : std::uint8_t { leave_out, index_dead, index_alive, wait };

void warn_concurrent(const Build &build, const char *what) {
    if (!build.catalog)
        elog(WARNING, "concurrent %s in progress within table \"%s\"", what,
             RelationGetRelationName(build.table));
}

Verdict judge_insert_in_progress(Build *build, HeapTuple tuple, Xid *wait_for) {
    if (build->any_visible) {
        build->live_rows += 1;
        return Verdict::index_alive;
    }
    const Xid inserter = HeapTupleHeaderGetXmin(tuple->t_data);
    if (::TransactionIdIsCurrentTransactionId(inserter)) {
        build->live_rows += 1;
        return Verdict::index_alive;
    }
    warn_concurrent(*build, "insert");
    if (build->unique) {
        *wait_for = inserter;
        return Verdict::wait;
    }
    return Verdict::index_alive;  // if our build commits, the row may have as well
}

Verdict leave_out_of_chain(Build *build) noexcept {
    build->info->ii_BrokenHotChain = true;
    return Verdict::leave_out;
}

Verdict judge_delete_in_progress(Build *build, HeapTuple tuple, Xid *wait_for) {
    if (build->any_visible) {
        build->live_rows += 1;
        return Verdict::index_dead;
    }
    const bool hot_updated = HeapTupleIsHotUpdated(tuple);
    const Xid deleter = mvcc::update_xid(tuple->t_data);
    if (::TransactionIdIsCurrentTransactionId(deleter))
        return hot_updated ? leave_out_of_chain(build) : Verdict::index_dead;

    warn_concurrent(*build, "delete");
    // Whether a HOT-updated row or its successor is to be indexed depends on how the deleter ends.
    if (build->unique || hot_updated) {
        *wait_for = deleter;
        return Verdict::wait;
    }
    build->live_rows += 1;
    return Verdict::index_dead;
}

Verdict judge(Build *build, HeapTuple tuple, Xid *wait_for) {
    switch (mvcc::satisfies_vacuum(tuple, build->oldest_xmin, &build->scan->page)) {
        case HEAPTUPLE_DEAD:
            return Verdict::leave_out;
        case HEAPTUPLE_LIVE:
            build->live_rows += 1;
            return Verdict::index_alive;
        case HEAPTUPLE_RECENTLY_DEAD:
            return HeapTupleIsHotUpdated(tuple) ? leave_out_of_chain(build) : Verdict::index_dead;
        case HEAPTUPLE_INSERT_IN_PROGRESS:
            return judge_insert_in_progress(build, tuple, wait_for);
        case HEAPTUPLE_DELETE_IN_PROGRESS:
            return judge_delete_in_progress(build, tuple, wait_for);
    }
    elog(ERROR, "unexpected result of a visibility check");
    pg_unreachable();
}

// SnapshotAny only: decides, waiting for transactions as long as needed.
Verdict decide(Build *build, HeapTuple tuple) {
    // Unlatched: whoever deletes it now (BRIN ranges) comes after us.
    if (build->live_page || is_plainly_live(tuple)) {
        build->live_rows += 1;
        return Verdict::index_alive;
    }
    for (;;) {
        Xid wait_for = kInvalidXid;
        build->scan->page.latch_share();
        const Verdict verdict = judge(build, tuple, &wait_for);
        build->scan->page.unlatch();
        if (verdict != Verdict::wait) return verdict;
        ::XactLockTableWait(wait_for, build->table, &tuple->t_self, XLTW_InsertIndexUnique);
        CHECK_FOR_INTERRUPTS();
    }
}

// The address that the index entry gets (scan.N1).
ItemPointerData entry_tid(const Build &build, HeapTuple tuple, RootMap *roots) {
    if (!HeapTupleIsHeapOnly(tuple)) return tuple->t_self;
    const SlotNo row = ItemPointerGetOffsetNumber(&tuple->t_self);
    // With less than ShareLock on the table, rows may have come since the map was made.
    if (roots->root_of(row) == kInvalidSlot) roots->refresh(*build.scan);
    if (roots->root_of(row) == kInvalidSlot) complain_rootless(build.table, tuple->t_self);
    ItemPointerData tid;
    ItemPointerSet(&tid, build.scan->block, roots->root_of(row));
    return tid;
}

class Progress {
public:
    Progress(const RowScan &scan, bool wanted) : scan_(scan), wanted_(wanted) {
        if (wanted_) ::pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, blocks_total(scan_));
    }
    void report() {
        if (!wanted_ || scan_.block == reported_) return;
        ::pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, blocks_done(scan_));
        reported_ = scan_.block;
    }
    void finish() const {
        if (wanted_) ::pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, blocks_total(scan_));
    }

private:
    const RowScan &scan_;
    bool wanted_;
    BlockNo reported_ = kInvalidBlock;
};

struct Snapshots {
    Snapshot scan;
    bool registered;
};

// A serial build takes its own snapshot; a parallel one has it from the scan it joins.
Snapshots choose_snapshot(const Build &build, TableScanDesc given) {
    if (given != nullptr) return {given->rs_snapshot, false};
    if (TransactionIdIsValid(build.oldest_xmin)) return {SnapshotAny, false};
    return {::RegisterSnapshot(::GetTransactionSnapshot()), true};
}

struct Sink {
    Relation index;
    IndexBuildCallback callback;
    void *state;
};

void enter_rows(Build *build, IndexEvaluation *evaluation, const Sink &sink, bool progress_wanted) {
    Progress progress(*build->scan, progress_wanted);
    RootMap roots;
    const bool judge_rows = build->scan->base.rs_snapshot == SnapshotAny;
    while (gh_scan_next_row(&build->scan->base, ForwardScanDirection, evaluation->slot)) {
        CHECK_FOR_INTERRUPTS();
        progress.report();
        if (roots.follow(*build->scan)) {
            const buffer::ShareLatch latch(build->scan->page);
            build->live_page = has_live_rows_only(build->scan->page);
        }
        HeapTuple tuple = reinterpret_cast<HeapTupleTableSlot *>(evaluation->slot)->tuple;

        bool alive = true;
        if (judge_rows) {
            const Verdict verdict = decide(build, tuple);
            if (verdict == Verdict::leave_out) continue;
            alive = verdict == Verdict::index_alive;
        } else {
            build->live_rows += 1;
        }
        if (!evaluation->evaluate()) continue;
        ItemPointerData tid = entry_tid(*build, tuple, &roots);
        sink.callback(sink.index, &tid, evaluation->values, evaluation->nulls, alive, sink.state);
    }
    progress.finish();
}

}  // namespace

double index_build_range(Relation table, Relation index, IndexInfo *info, bool allow_sync, bool anyvisible,
                         bool progress, BlockNo start, BlockNo count, IndexBuildCallback callback,
                         void *callback_state, TableScanDesc given) {
    Build build{.table = table,
                .info = info,
                .scan = nullptr,
                .oldest_xmin = kInvalidXid,
                .any_visible = anyvisible,
                .unique = info->ii_Unique || info->ii_ExclusionOps != nullptr,
                .catalog = IsSystemRelation(table),
                .live_page = false,
                .live_rows = 0};
    GH_ASSERT(!(build.any_visible && build.unique));
    IndexEvaluation evaluation;
    evaluation.begin(table, info);
    // Lazy vacuums do not matter here, so this horizon will do.
    if (!IsBootstrapProcessingMode() && !info->ii_Concurrent)
        build.oldest_xmin = ::GetOldestNonRemovableTransactionId(table);

    const Snapshots snapshot = choose_snapshot(build, given);
    TableScanDesc scan = given != nullptr
                             ? given
                             : ::table_beginscan_strat(table, snapshot.scan, 0, nullptr, true, allow_sync);
    build.scan = &row_scan(scan);
    if (!allow_sync) set_limits(*build.scan, start, count);

    enter_rows(&build, &evaluation, Sink{index, callback, callback_state}, progress);

    ::table_endscan(scan);
    if (snapshot.registered) ::UnregisterSnapshot(snapshot.scan);
    evaluation.end();
    return build.live_rows;
}

}  // namespace glassheap::scan
