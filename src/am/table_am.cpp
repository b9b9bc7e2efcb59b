// am/table_am.cpp — PostgreSQL's questions, and which room answers them.  Dispatch only.
//
// Why:    one table to read when looking for where something is done.
// Invariants: am.A1 every callback that core calls without asking is set (checked by the compiler).
//         am.A2 looking at the catalog (the handler itself, sizes, TOAST decisions) works without
//            shared_preload_libraries; touching rows says what is missing (buffer::require_ready).  VACUUM
//            passes over the table with a WARNING, ANALYZE reads its file: both are asked for whole
//            databases.
// Errors: whatever the rooms raise.
// See:    PG: access/tableam.h (contract)
// SPDX-License-Identifier: PostgreSQL
#include "am/table_am.hpp"

#include "am/lasting_reads.hpp"
#include "am/stock_readers.hpp"
#include "am/tuple_ops.hpp"
#include "buffer/setup.hpp"
#include "heap/insert_run.hpp"
#include "heap/rows.hpp"
#include "lifecycle/lifecycle.hpp"
#include "pg/pg_am.hpp"
#include "scan/scans.hpp"
#include "vacuum/vacuum.hpp"

namespace glassheap::am {

namespace {

// ANALYZE without a pool; no other scan begins there (am.A2).
bool reads_file() noexcept {
    return !buffer::is_ready();
}

void warn_vacuum_skipped(Relation rel) {
    ereport(WARNING,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("skipping vacuum of \"%s\" --- glassheap must be loaded via shared_preload_libraries",
                    RelationGetRelationName(rel)),
             errhint("Add this line to postgresql.conf and restart the server: "
                     "shared_preload_libraries = 'glassheap'")));
}

}  // namespace

extern "C" {

// ---- slots

static const TupleTableSlotOps *gh_slot_callbacks(Relation) {
    return &TTSOpsHeapTuple;
}

// ---- rows

static void gh_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
                            BulkInsertState bistate) {
    buffer::require_ready();
    insert(rel, slot, cid, options, bistate);
}

static void gh_tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
                                        BulkInsertState bistate, uint32 token) {
    buffer::require_ready();
    insert_speculative(rel, slot, cid, options, bistate, token);
}

static void gh_tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32, bool succeeded) {
    complete_speculative(rel, slot, succeeded);
}

static void gh_multi_insert(Relation rel, TupleTableSlot **slots, int count, CommandId cid, int options,
                            BulkInsertState bistate) {
    buffer::require_ready();
    heap::multi_insert(rel, slots, count, cid, options, bistate);
}

static void gh_finish_bulk_insert(Relation, int) {
    heap::finish_runs();
}

static TM_Result gh_tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot, Snapshot crosscheck,
                                 bool wait, TM_FailureData *tmfd, bool changing_partition) {
    buffer::require_ready();
    return heap::remove(rel, tid, cid, crosscheck, wait, tmfd, changing_partition);
}

static TM_Result gh_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
                                 Snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
                                 LockTupleMode *lockmode, bool *update_indexes) {
    buffer::require_ready();
    return update(rel, otid, slot, cid, crosscheck, wait, tmfd, lockmode, update_indexes);
}

static TM_Result gh_tuple_lock(Relation rel, ItemPointer tid, Snapshot, TupleTableSlot *slot, CommandId cid,
                               LockTupleMode mode, LockWaitPolicy wait_policy, uint8 flags,
                               TM_FailureData *tmfd) {
    buffer::require_ready();
    return lock(rel, tid, slot, cid, mode, wait_policy, flags, tmfd);
}

// ---- files

static void gh_set_new_filenode(Relation rel, const pg::RelFile *new_file, char persistence,
                                TransactionId *freeze_xid, MultiXactId *minmulti) {
    buffer::require_ready();
    lifecycle::create_files(rel, new_file, persistence, freeze_xid, minmulti);
}

static void gh_nontransactional_truncate(Relation rel) {
    buffer::require_ready();
    lifecycle::truncate_in_place(rel);
}

static void gh_copy_data(Relation rel, const pg::RelFile *new_file) {
    buffer::require_ready();
    lifecycle::copy_files(rel, new_file);
}

static void gh_copy_for_cluster(Relation old_heap, Relation new_heap, Relation old_index, bool use_sort,
                                TransactionId oldest_xmin, TransactionId *freeze_xid,
                                MultiXactId *multi_cutoff, double *num_tuples, double *tups_vacuumed,
                                double *tups_recently_dead) {
    buffer::require_ready();
    scan::copy_for_cluster(old_heap, new_heap, old_index, use_sort, oldest_xmin, freeze_xid, multi_cutoff,
                           num_tuples, tups_vacuumed, tups_recently_dead);
}

static void gh_vacuum(Relation rel, VacuumParams *params, BufferAccessStrategy strategy) {
    // VACUUM of a whole database goes on behind us.
    if (!buffer::is_ready()) {
        warn_vacuum_skipped(rel);
        return;
    }
    vacuum::vacuum_relation(rel, params, strategy);
}

static uint64 gh_relation_size(Relation rel, ForkNumber fork) {
    meet_stock_reader(rel);
    return ::table_block_relation_size(rel, fork);
}

// ---- TOAST

// A row needs a TOAST table when something in it can be stored out of line and the row may exceed what is
// kept in the page.
static bool gh_needs_toast_table(Relation rel) {
    const TupleDesc columns = RelationGetDescr(rel);
    int32 data_length = 0;
    bool unlimited = false;
    bool toastable = false;
    for (int i = 0; i < columns->natts; ++i) {
        Form_pg_attribute column = TupleDescAttr(columns, i);
        if (column->attisdropped) continue;
        data_length = static_cast<int32>(att_align_nominal(data_length, column->attalign));
        if (column->attlen > 0) {
            data_length += column->attlen;
            continue;
        }
        const int32 longest = ::type_maximum_size(column->atttypid, column->atttypmod);
        if (longest < 0)
            unlimited = true;
        else
            data_length += longest;
        if (column->attstorage != TYPSTORAGE_PLAIN) toastable = true;
    }
    if (!toastable) return false;
    if (unlimited) return true;
    const Size header = MAXALIGN(SizeofHeapTupleHeader + static_cast<Size>(BITMAPLEN(columns->natts)));
    return header + MAXALIGN(data_length) > TOAST_TUPLE_THRESHOLD;
}

// Core's TOAST writer calls heap's functions whatever the table's access method (design.D2).
static Oid gh_toast_am(Relation) {
    return HEAP_TABLE_AM_OID;
}

// ---- planner

static void gh_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
                             double *allvisfrac) {
    constexpr Size kRowOverhead = page::align_up(page::kTupleHeaderSize) + page::kLinePointerSize;
    constexpr Size kUsablePerPage = page::kPageSize - page::kHeaderSize;
    ::table_block_relation_estimate_size(rel, attr_widths, pages, tuples, allvisfrac, kRowOverhead,
                                         kUsablePerPage);
}

// ---- scans: signatures equal those of the room, but for linkage

static TableScanDesc gh_scan_begin(Relation rel, Snapshot snapshot, int nkeys, ScanKeyData *key,
                                   ParallelTableScanDesc pscan, uint32 flags) {
    if (reads_file() && (flags & SO_TYPE_ANALYZE) != 0) return scan::begin_analyze_of_file(rel, flags);
    if (pscan == nullptr) settle_before_scan(rel);  // a parallel one was settled when it was initialized
    return scan::begin(rel, snapshot, nkeys, key, pscan, flags);
}
static void gh_scan_end(TableScanDesc desc) {
    if (reads_file())
        scan::end_analyze_of_file(desc);
    else
        scan::end(desc);
}
static void gh_scan_rescan(TableScanDesc desc, ScanKeyData *key, bool set_params, bool allow_strat,
                           bool allow_sync, bool allow_pagemode) {
    scan::rescan(desc, key, set_params, allow_strat, allow_sync, allow_pagemode);
}
static void gh_scan_set_tidrange(TableScanDesc desc, ItemPointer mintid, ItemPointer maxtid) {
    scan::set_tid_range(desc, mintid, maxtid);
}
static bool gh_scan_getnextslot_tidrange(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot) {
    return scan::next_tid_range(desc, direction, slot);
}
static bool gh_scan_bitmap_next_block(TableScanDesc desc, TBMIterateResult *result) {
    return scan::bitmap_next_block(desc, *result);
}
static bool gh_scan_sample_next_block(TableScanDesc desc, SampleScanState *state) {
    return scan::sample_next_block(desc, state);
}
static bool gh_scan_sample_next_tuple(TableScanDesc desc, SampleScanState *state, TupleTableSlot *slot) {
    return scan::sample_next_tuple(desc, state, slot);
}
static bool gh_scan_analyze_next_block(TableScanDesc desc, BlockNumber block, BufferAccessStrategy strategy) {
    if (!reads_file()) return scan::analyze_next_block(desc, block, strategy);
    scan::analyze_file_next_block(desc, block);
    return true;
}
static bool gh_scan_analyze_next_tuple(TableScanDesc desc, TransactionId oldest_xmin, double *live,
                                       double *dead, TupleTableSlot *slot) {
    return reads_file() ? scan::analyze_file_next_tuple(desc, oldest_xmin, live, dead, slot)
                        : scan::analyze_next_tuple(desc, oldest_xmin, live, dead, slot);
}
static Size gh_parallelscan_initialize(Relation rel, ParallelTableScanDesc desc) {
    heap::finish_runs();
    settle_before_parallel_scan(rel);
    return ::table_block_parallelscan_initialize(rel, desc);
}
static IndexFetchTableData *gh_index_fetch_begin(Relation rel) {
    settle_before_scan(rel);
    return scan::index_fetch_begin(rel);
}
static void gh_index_fetch_reset(IndexFetchTableData *fetch) {
    scan::index_fetch_reset(fetch);
}
static void gh_index_fetch_end(IndexFetchTableData *fetch) {
    scan::index_fetch_end(fetch);
}
static bool gh_index_fetch_tuple(IndexFetchTableData *fetch, ItemPointer tid, Snapshot snapshot,
                                 TupleTableSlot *slot, bool *call_again, bool *all_dead) {
    return scan::index_fetch_tuple(fetch, tid, snapshot, slot, call_again, all_dead);
}
static bool gh_tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot,
                                       TupleTableSlot *slot) {
    return scan::fetch_row_version(rel, tid, snapshot, slot);
}
static bool gh_tuple_tid_valid(TableScanDesc desc, ItemPointer tid) {
    return scan::tid_valid(desc, tid);
}
static void gh_tuple_get_latest_tid(TableScanDesc desc, ItemPointer tid) {
    scan::get_latest_tid(desc, tid);
}
static bool gh_tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot) {
    return scan::tuple_satisfies_snapshot(rel, slot, snapshot);
}
static TransactionId gh_index_delete_tuples(Relation rel, TM_IndexDeleteOp *op) {
    buffer::require_ready();
    return scan::index_delete_tuples(rel, op);
}
static double gh_index_build_range_scan(Relation table, Relation index, IndexInfo *info, bool allow_sync,
                                        bool anyvisible, bool progress, BlockNumber start, BlockNumber count,
                                        IndexBuildCallback callback, void *callback_state,
                                        TableScanDesc desc) {
    if (desc == nullptr) settle_before_build(table, start, count);
    return scan::index_build_range(table, index, info, allow_sync, anyvisible, progress, start, count,
                                   callback, callback_state, desc);
}
static void gh_index_validate_scan(Relation table, Relation index, IndexInfo *info, Snapshot snapshot,
                                   ValidateIndexState *state) {
    settle_before_build(table, 0, kInvalidBlock);
    scan::index_validate(table, index, info, snapshot, state);
}

}  // extern "C"

static constexpr TableAmRoutine kRoutine = {
    .type = T_TableAmRoutine,

    .slot_callbacks = gh_slot_callbacks,

    .scan_begin = gh_scan_begin,
    .scan_end = gh_scan_end,
    .scan_rescan = gh_scan_rescan,
    .scan_getnextslot = gh_scan_next_row,
    .scan_set_tidrange = gh_scan_set_tidrange,
    .scan_getnextslot_tidrange = gh_scan_getnextslot_tidrange,

    .parallelscan_estimate = table_block_parallelscan_estimate,
    .parallelscan_initialize = gh_parallelscan_initialize,
    .parallelscan_reinitialize = table_block_parallelscan_reinitialize,

    .index_fetch_begin = gh_index_fetch_begin,
    .index_fetch_reset = gh_index_fetch_reset,
    .index_fetch_end = gh_index_fetch_end,
    .index_fetch_tuple = gh_index_fetch_tuple,

    .tuple_fetch_row_version = gh_tuple_fetch_row_version,
    .tuple_tid_valid = gh_tuple_tid_valid,
    .tuple_get_latest_tid = gh_tuple_get_latest_tid,
    .tuple_satisfies_snapshot = gh_tuple_satisfies_snapshot,
    .index_delete_tuples = gh_index_delete_tuples,

    .tuple_insert = gh_tuple_insert,
    .tuple_insert_speculative = gh_tuple_insert_speculative,
    .tuple_complete_speculative = gh_tuple_complete_speculative,
    .multi_insert = gh_multi_insert,
    .tuple_delete = gh_tuple_delete,
    .tuple_update = gh_tuple_update,
    .tuple_lock = gh_tuple_lock,
    .finish_bulk_insert = gh_finish_bulk_insert,

    .relation_set_new_filenode = gh_set_new_filenode,
    .relation_nontransactional_truncate = gh_nontransactional_truncate,
    .relation_copy_data = gh_copy_data,
    .relation_copy_for_cluster = gh_copy_for_cluster,
    .relation_vacuum = gh_vacuum,
    .scan_analyze_next_block = gh_scan_analyze_next_block,
    .scan_analyze_next_tuple = gh_scan_analyze_next_tuple,
    .index_build_range_scan = gh_index_build_range_scan,
    .index_validate_scan = gh_index_validate_scan,

    .relation_size = gh_relation_size,
    .relation_needs_toast_table = gh_needs_toast_table,
    .relation_toast_am = gh_toast_am,
    .relation_fetch_toast_slice = heap_fetch_toast_slice,

    .relation_estimate_size = gh_estimate_size,

    .scan_bitmap_next_block = gh_scan_bitmap_next_block,
    .scan_bitmap_next_tuple = gh_bitmap_next_row,
    .scan_sample_next_block = gh_scan_sample_next_block,
    .scan_sample_next_tuple = gh_scan_sample_next_tuple,
};

// am.A1, at compile time: what core's GetTableAmRoutine asserts, and what it calls without asking.
static constexpr bool is_complete(const TableAmRoutine &r) {
    const bool scans = r.slot_callbacks != nullptr && r.scan_begin != nullptr && r.scan_end != nullptr &&
                       r.scan_rescan != nullptr && r.scan_getnextslot != nullptr &&
                       r.scan_set_tidrange != nullptr && r.scan_getnextslot_tidrange != nullptr &&
                       r.parallelscan_estimate != nullptr && r.parallelscan_initialize != nullptr &&
                       r.parallelscan_reinitialize != nullptr && r.scan_bitmap_next_block != nullptr &&
                       r.scan_bitmap_next_tuple != nullptr && r.scan_sample_next_block != nullptr &&
                       r.scan_sample_next_tuple != nullptr && r.scan_analyze_next_block != nullptr &&
                       r.scan_analyze_next_tuple != nullptr;
    const bool indexes = r.index_fetch_begin != nullptr && r.index_fetch_reset != nullptr &&
                         r.index_fetch_end != nullptr && r.index_fetch_tuple != nullptr &&
                         r.index_delete_tuples != nullptr && r.index_build_range_scan != nullptr &&
                         r.index_validate_scan != nullptr;
    const bool rows = r.tuple_fetch_row_version != nullptr && r.tuple_tid_valid != nullptr &&
                      r.tuple_get_latest_tid != nullptr && r.tuple_satisfies_snapshot != nullptr &&
                      r.tuple_insert != nullptr && r.tuple_insert_speculative != nullptr &&
                      r.tuple_complete_speculative != nullptr && r.multi_insert != nullptr &&
                      r.tuple_delete != nullptr && r.tuple_update != nullptr && r.tuple_lock != nullptr;
    const bool relations = r.relation_set_new_filenode != nullptr &&
                           r.relation_nontransactional_truncate != nullptr &&
                           r.relation_copy_data != nullptr && r.relation_copy_for_cluster != nullptr &&
                           r.relation_vacuum != nullptr && r.relation_size != nullptr &&
                           r.relation_needs_toast_table != nullptr && r.relation_toast_am != nullptr &&
                           r.relation_fetch_toast_slice != nullptr && r.relation_estimate_size != nullptr;
    return r.type == T_TableAmRoutine && scans && indexes && rows && relations;
}
static_assert(is_complete(kRoutine));

const TableAmRoutine *routine() noexcept {
    return &kRoutine;
}

bool is_ours(Relation rel) noexcept {
    return rel->rd_tableam == &kRoutine;
}

}  // namespace glassheap::am

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_tableam_handler);
PGDLLEXPORT Datum glassheap_tableam_handler(PG_FUNCTION_ARGS);

Datum glassheap_tableam_handler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_POINTER(glassheap::am::routine());
}
}
