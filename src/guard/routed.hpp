// guard/routed.hpp — heap's functions, done in our pool: same names, arguments, results, errors.
//
// Why:    these are what callers outside the table AM rely on: t_self and the header of the caller's tuple,
//         "tuple concurrently updated", index entries only for rows that are not heap-only.
// Invariants: guard.R1 a function that hands out a Buffer hands out a copy of the row, in the caller's
//            memory, and a pin that stands in, to be released like any other: our pages have no Buffer.  It
//            is not the row's page: a caller that reads or changes the row through the buffer is not served.
//         guard.R2 so does a scan that is read with heap_getnext: it is where heap has its page's
//            (scan_desc.hpp, scan.S5), from the first row until there is none, or the scan starts anew.
//         guard.R3 a row handed out in a slot is the slot's own: in heap's it has a pin of its own.
//         guard.R4 a scan that heap's own function has begun is an error (scan.S6).
// Errors: as the functions of the same name.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"
#include "pg/pg_guarded.hpp"

namespace glassheap::guard::routed {

// The pin of guard.R1 and guard.R2.
Buffer pin_stand_in();

// rows.cpp
void heap_insert(Relation rel, HeapTuple tuple, CommandId cid, int options, BulkInsertState bistate);
void heap_multi_insert(Relation rel, TupleTableSlot **slots, int count, CommandId cid, int options,
                       BulkInsertState bistate);
TM_Result heap_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot crosscheck, bool wait,
                      TM_FailureData *tmfd, bool changing_partition);
TM_Result heap_update(Relation rel, ItemPointer tid, HeapTuple tuple, CommandId cid, Snapshot crosscheck,
                      bool wait, TM_FailureData *tmfd, LockTupleMode *lockmode);
TM_Result heap_lock_tuple(Relation rel, HeapTuple tuple, CommandId cid, LockTupleMode mode,
                          LockWaitPolicy wait_policy, bool follow_update, Buffer *buffer,
                          TM_FailureData *tmfd);
void heap_finish_speculative(Relation rel, ItemPointer tid);
void heap_abort_speculative(Relation rel, ItemPointer tid);
bool heap_fetch(Relation rel, Snapshot snapshot, HeapTuple tuple, Buffer *buffer, bool keep);
void simple_heap_insert(Relation rel, HeapTuple tuple);
void simple_heap_delete(Relation rel, ItemPointer tid);
void simple_heap_update(Relation rel, ItemPointer tid, HeapTuple tuple);

// catalog.cpp
void CatalogTupleInsert(Relation rel, HeapTuple tuple);
void CatalogTupleInsertWithInfo(Relation rel, HeapTuple tuple, CatalogIndexState indexes);
void CatalogTuplesMultiInsertWithInfo(Relation rel, TupleTableSlot **slots, int count,
                                      CatalogIndexState indexes);
void CatalogTupleUpdate(Relation rel, ItemPointer tid, HeapTuple tuple);
void CatalogTupleUpdateWithInfo(Relation rel, ItemPointer tid, HeapTuple tuple, CatalogIndexState indexes);
void CatalogTupleDelete(Relation rel, ItemPointer tid);

// scans.cpp
TableScanDesc heap_beginscan(Relation rel, Snapshot snapshot, int nkeys, ScanKey key,
                             ParallelTableScanDesc parallel, uint32 flags);
void heap_setscanlimits(TableScanDesc scan, BlockNumber first, BlockNumber count);
void heap_rescan(TableScanDesc scan, ScanKey key, bool set_params, bool allow_strat, bool allow_sync,
                 bool allow_pagemode);
void heap_endscan(TableScanDesc scan);
HeapTuple heap_getnext(TableScanDesc scan, ScanDirection direction);
bool heap_getnextslot(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
void heap_set_tidrange(TableScanDesc scan, ItemPointer mintid, ItemPointer maxtid);
bool heap_getnextslot_tidrange(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
void heap_get_latest_tid(TableScanDesc scan, ItemPointer tid);
TransactionId heap_index_delete_tuples(Relation rel, TM_IndexDeleteOp *op);
void FlushRelationBuffers(Relation rel);
void heap_vacuum_rel(Relation rel, VacuumParams *params, BufferAccessStrategy strategy);

}  // namespace glassheap::guard::routed
