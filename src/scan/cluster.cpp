// scan/cluster.cpp — which rows CLUSTER and VACUUM FULL copy, and in which order.
//
// Why:    either along an index, or sequentially, or sequentially into a sort; versions that somebody may
//         still see are copied as well (heap/rewrite.hpp keeps their chains).
// Invariants: scan.C1 all versions are looked at (SnapshotAny); dead ones are told to the rewrite, not
//         copied.
//         scan.C2 columns dropped from the table are NULL in the copies.
// Locking: AccessExclusiveLock on both tables; share latch on a page while a row is judged.
// Errors: may longjmp; WARNING for rows in progress of others, which the lock should rule out.
// Progress: PROGRESS_CLUSTER_*, phases as heap's.
// See:    PG: access/heap/heapam_handler.c, commands/cluster.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "heap/rewrite.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_scan.hpp"
#include "pg/pg_tuplesort.hpp"
#include "scan/page_rows.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"

namespace glassheap::scan {

namespace {

struct Counts {
    double copied = 0;
    double vacuumed = 0;
    double recently_dead = 0;
};

struct Clustering {
    Relation old_table;
    Relation new_table;
    heap::Rewrite *rewrite;
    Tuplesortstate *sort;  // nullptr: rows are copied as they come
    Xid oldest_xmin;
    bool catalog;
    Datum *values;
    bool *nulls;
    Counts counts;
    ItemPointerData at;  // the row that is looked at or copied; invalid: none
};

// Damage that shows only here names no row: the error's context does.
extern "C" void gh_cluster_error_context(void *arg) {
    const auto &work = *static_cast<const Clustering *>(arg);
    if (!ItemPointerIsValid(&work.at)) return;
    errcontext("while copying block %u offset %u of relation \"%s\"", ItemPointerGetBlockNumber(&work.at),
               unsigned{ItemPointerGetOffsetNumber(&work.at)}, RelationGetRelationName(work.old_table));
}

// ---- where the rows come from

struct Source {
    IndexScanDesc index_scan = nullptr;
    TableScanDesc table_scan = nullptr;
    TupleTableSlot *slot = nullptr;
    BlockNo reported_block = kInvalidBlock;

    void begin(Relation table, Relation index);
    bool next();
    const buffer::PinnedPage &page() const noexcept;
    void report_block();
    void end();
};

void Source::begin(Relation table, Relation index) {
    if (index != nullptr) {
        const int names[] = {PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_INDEX_RELID};
        const int64 values[] = {PROGRESS_CLUSTER_PHASE_INDEX_SCAN_HEAP,
                                static_cast<int64>(RelationGetRelid(index))};
        ::pgstat_progress_update_multi_param(2, names, values);
        index_scan = pg::begin_whole_index_scan(table, index);
        ::index_rescan(index_scan, nullptr, 0, nullptr, 0);
    } else {
        ::pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SEQ_SCAN_HEAP);
        table_scan = ::table_beginscan(table, SnapshotAny, 0, nullptr);
        ::pgstat_progress_update_param(PROGRESS_CLUSTER_TOTAL_HEAP_BLKS, row_scan(table_scan).block_count);
    }
    slot = ::table_slot_create(table, nullptr);
}

// A synchronized scan starts anywhere: blocks are reported as if it had started at the first one.
void Source::report_block() {
    const RowScan &scan = row_scan(table_scan);
    if (scan.block == reported_block) return;
    const BlockNo done = (scan.block + scan.block_count - scan.start_block) % scan.block_count + 1;
    ::pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_BLKS_SCANNED, done);
    reported_block = scan.block;
}

bool Source::next() {
    if (index_scan != nullptr) {
        if (!::index_getnext_slot(index_scan, ForwardScanDirection, slot)) return false;
        if (index_scan->xs_recheck) elog(ERROR, "CLUSTER does not support lossy index conditions");
        return true;
    }
    if (gh_scan_next_row(table_scan, ForwardScanDirection, slot)) {
        report_block();
        return true;
    }
    // The last blocks may have had no rows.
    ::pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_BLKS_SCANNED, row_scan(table_scan).block_count);
    return false;
}

const buffer::PinnedPage &Source::page() const noexcept {
    return index_scan != nullptr ? index_fetch(index_scan->xs_heapfetch).page : row_scan(table_scan).page;
}

void Source::end() {
    if (index_scan != nullptr) ::index_endscan(index_scan);
    if (table_scan != nullptr) ::table_endscan(table_scan);
    ::ExecDropSingleTupleTableSlot(slot);
}

// ---- what becomes of a row

void warn_concurrent(const Clustering &work, const char *what, Xid xid) {
    if (!work.catalog && !::TransactionIdIsCurrentTransactionId(xid))
        elog(WARNING, "concurrent %s in progress within table \"%s\"", what,
             RelationGetRelationName(work.old_table));
}

// What is known of the page would not do: hints are lost with a crash, PD_ALL_VISIBLE is not; and without the
// hint that an updater came to nothing the rewrite would wait for the successor, to the end of the table.
bool is_dead(Clustering *work, HeapTuple tuple, const buffer::PinnedPage &page) {
    if (is_plainly_live(tuple)) return false;  // no latch: nobody but us changes the table
    const buffer::ShareLatch latch(page);
    switch (mvcc::satisfies_vacuum(tuple, work->oldest_xmin, &page)) {
        case HEAPTUPLE_DEAD:
            return true;
        case HEAPTUPLE_RECENTLY_DEAD:
            work->counts.recently_dead += 1;
            return false;
        case HEAPTUPLE_LIVE:
            return false;
        case HEAPTUPLE_INSERT_IN_PROGRESS:
            warn_concurrent(*work, "insert", HeapTupleHeaderGetXmin(tuple->t_data));
            return false;
        case HEAPTUPLE_DELETE_IN_PROGRESS:
            warn_concurrent(*work, "delete", mvcc::update_xid(tuple->t_data));
            work->counts.recently_dead += 1;
            return false;
    }
    elog(ERROR, "unexpected result of a visibility check");
    pg_unreachable();
}

// Re-forms the row for the new table and copies it.
void copy_row(Clustering *work, HeapTuple tuple) {
    const TupleDesc columns = RelationGetDescr(work->new_table);
    ::heap_deform_tuple(tuple, RelationGetDescr(work->old_table), work->values, work->nulls);
    for (int i = 0; i < columns->natts; ++i) {
        if (TupleDescAttr(columns, i)->attisdropped) work->nulls[i] = true;  // scan.C2
    }
    HeapTuple copy = ::heap_form_tuple(columns, work->values, work->nulls);
    heap::rewrite_version(work->rewrite, tuple, copy);
    ::heap_freetuple(copy);
}

void drop_row(Clustering *work, HeapTuple tuple) {
    work->counts.vacuumed += 1;
    if (!heap::rewrite_dead_version(work->rewrite, tuple)) return;
    work->counts.vacuumed += 1;
    work->counts.recently_dead -= 1;
}

void take_row(Clustering *work, HeapTuple tuple) {
    work->counts.copied += 1;
    const auto copied = static_cast<int64>(work->counts.copied);
    if (work->sort != nullptr) {
        ::tuplesort_putheaptuple(work->sort, tuple);
        ::pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_SCANNED, copied);
        return;
    }
    copy_row(work, tuple);
    const int names[] = {PROGRESS_CLUSTER_HEAP_TUPLES_SCANNED, PROGRESS_CLUSTER_HEAP_TUPLES_WRITTEN};
    const int64 values[] = {copied, copied};
    ::pgstat_progress_update_multi_param(2, names, values);
}

void read_rows(Clustering *work, Relation index) {
    Source source;
    source.begin(work->old_table, index);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (!source.next()) break;
        HeapTuple tuple = reinterpret_cast<HeapTupleTableSlot *>(source.slot)->tuple;
        work->at = tuple->t_self;
        if (is_dead(work, tuple, source.page()))
            drop_row(work, tuple);
        else
            take_row(work, tuple);
        ItemPointerSetInvalid(&work->at);
    }
    source.end();
}

void write_sorted(Clustering *work) {
    ::pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_SORT_TUPLES);
    ::tuplesort_performsort(work->sort);
    ::pgstat_progress_update_param(PROGRESS_CLUSTER_PHASE, PROGRESS_CLUSTER_PHASE_WRITE_NEW_HEAP);
    int64 written = 0;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        HeapTuple tuple = ::tuplesort_getheaptuple(work->sort, true);
        if (tuple == nullptr) break;
        work->at = tuple->t_self;
        copy_row(work, tuple);
        ItemPointerSetInvalid(&work->at);
        ::pgstat_progress_update_param(PROGRESS_CLUSTER_HEAP_TUPLES_WRITTEN, ++written);
    }
    ::tuplesort_end(work->sort);
}

}  // namespace

void copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
                      Xid oldest_xmin, Xid *freeze_xid, MultiXactId *multi_cutoff, double *num_tuples,
                      double *tups_vacuumed, double *tups_recently_dead) {
    const int columns = RelationGetDescr(new_table)->natts;
    Clustering work{
        .old_table = old_table,
        .new_table = new_table,
        .rewrite = heap::begin_rewrite(old_table, new_table, {oldest_xmin, *freeze_xid, *multi_cutoff}),
        .sort = nullptr,
        .oldest_xmin = oldest_xmin,
        .catalog = IsSystemRelation(old_table),
        .values = static_cast<Datum *>(::palloc(static_cast<Size>(columns) * sizeof(Datum))),
        .nulls = static_cast<bool *>(::palloc(static_cast<Size>(columns) * sizeof(bool))),
        .counts = {},
        .at = {}};
    ItemPointerSetInvalid(&work.at);
    ErrorContextCallback callback = {error_context_stack, gh_cluster_error_context, &work};
    error_context_stack = &callback;
    if (use_sort)
        work.sort = ::tuplesort_begin_cluster(RelationGetDescr(old_table), old_index, maintenance_work_mem,
                                              nullptr, TUPLESORT_NONE);

    read_rows(&work, use_sort ? nullptr : old_index);
    if (work.sort != nullptr) write_sorted(&work);
    heap::end_rewrite(work.rewrite);
    error_context_stack = callback.previous;

    *num_tuples += work.counts.copied;
    *tups_vacuumed += work.counts.vacuumed;
    *tups_recently_dead += work.counts.recently_dead;
    ::pfree(work.values);
    ::pfree(work.nulls);
}

}  // namespace glassheap::scan
