// scan/scans.hpp — everything the table AM needs of scans; one .cpp per kind.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "pg/pg_scan.hpp"

// Called once per row, so they are the table AM's callbacks themselves: a jump less.
extern "C" bool gh_scan_next_row(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
extern "C" bool gh_bitmap_next_row(TableScanDesc scan, glassheap::pg::BitmapPage *page, TupleTableSlot *slot);

namespace glassheap::scan {

// sequential (scan/seq.cpp); flags as in tableam.h (ScanOptions)
TableScanDesc begin(Relation rel, Snapshot snapshot, int nkeys, ScanKeyData *key, ParallelTableScanDesc pscan,
                    uint32 flags);
void end(TableScanDesc scan);
void rescan(TableScanDesc scan, ScanKeyData *key, bool set_params, bool allow_strat, bool allow_sync,
            bool allow_pagemode);
// A copy of the next row, valid until the next call (heap_getnext's way); nullptr at the end.
HeapTuple next_tuple(TableScanDesc scan, ScanDirection direction);
void set_tid_range(TableScanDesc scan, ItemPointer mintid, ItemPointer maxtid);
bool next_tid_range(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
// bitmap (scan/bitmap.cpp)
bool bitmap_next_block(TableScanDesc scan, const pg::BitmapPage &wanted);
// sample (scan/sample.cpp)
bool sample_next_block(TableScanDesc scan, SampleScanState *state);
bool sample_next_tuple(TableScanDesc scan, SampleScanState *state, TupleTableSlot *slot);
// analyze (scan/analyze.cpp)
bool analyze_next_block(TableScanDesc scan, BlockNo block, BufferAccessStrategy strategy);
bool analyze_next_tuple(TableScanDesc scan, Xid oldest_xmin, double *live, double *dead,
                        TupleTableSlot *slot);
// analyze where the library is not preloaded (scan/analyze_file.cpp): no pool, rows come from the file
TableScanDesc begin_analyze_of_file(Relation rel, uint32 flags);
void end_analyze_of_file(TableScanDesc scan);
void analyze_file_next_block(TableScanDesc scan, BlockNo block);
bool analyze_file_next_tuple(TableScanDesc scan, Xid oldest_xmin, double *live, double *dead,
                             TupleTableSlot *slot);
// index fetch (scan/index_fetch.cpp)
IndexFetchTableData *index_fetch_begin(Relation rel);
void index_fetch_reset(IndexFetchTableData *fetch);
void index_fetch_end(IndexFetchTableData *fetch);
bool index_fetch_tuple(IndexFetchTableData *fetch, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
                       bool *call_again, bool *all_dead);
Xid index_delete_tuples(Relation rel, TM_IndexDeleteOp *op);
// by tid (scan/tid.cpp)
bool fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot);
bool tid_valid(TableScanDesc scan, ItemPointer tid);
void get_latest_tid(TableScanDesc scan, ItemPointer tid);
bool tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot);
// index build (scan/index_build.cpp)
double index_build_range(Relation table, Relation index, IndexInfo *info, bool allow_sync, bool anyvisible,
                         bool progress, BlockNo start, BlockNo count, IndexBuildCallback callback,
                         void *callback_state, TableScanDesc scan);
void index_validate(Relation table, Relation index, IndexInfo *info, Snapshot snapshot,
                    ValidateIndexState *state);
// CLUSTER and VACUUM FULL (scan/cluster.cpp): all of relation_copy_for_cluster
void copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
                      Xid oldest_xmin, Xid *freeze_xid, MultiXactId *multi_cutoff, double *num_tuples,
                      double *tups_vacuumed, double *tups_recently_dead);

}  // namespace glassheap::scan
