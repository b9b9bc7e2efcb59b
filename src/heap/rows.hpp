// heap/rows.hpp — insert, delete, update, lock one row.
//
// Why:    the operations behind the table AM; semantic equals of heap's, in phases
//         (doc/design/rows.md#the-path-of-an-update).
// Locking: takes page latches itself; the caller holds the relation lock only.
// Errors: may longjmp; SQLSTATEs as heap's (40001 via core, 55P03, 22023 ...).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "pg/pg_index_columns.hpp"

namespace glassheap::heap {

// Inserts `tuple` (t_self and t_tableOid are set; toasted as needed).  options: HEAP_INSERT_* and
// TABLE_INSERT_* as heap.  bistate may be nullptr; its current_buf stays InvalidBuffer.
void insert(Relation rel, HeapTuple tuple, Cid cid, int options, BulkInsertState bistate);
// Inserts the rows of `slots`; sets each slot's tts_tid and tts_tableOid.
void multi_insert(Relation rel, TupleTableSlot **slots, int count, Cid cid, int options,
                  BulkInsertState bistate);
TM_Result remove(Relation rel, ItemPointer tid, Cid cid, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
                 bool changing_partition);
// new_tuple: t_self set on success.
TM_Result update(Relation rel, ItemPointer otid, HeapTuple new_tuple, Cid cid, Snapshot crosscheck, bool wait,
                 TM_FailureData *tmfd, LockTupleMode *lockmode, pg::StaleIndexes *stale);
// Locks the version at tuple->t_self; on return `tuple` is a copy palloc'd in the current context of the
// version looked at (t_data nullptr if there is none).  follow_updates as in heap_lock_tuple.
TM_Result lock_row(Relation rel, HeapTuple tuple, Cid cid, LockTupleMode mode, LockWaitPolicy wait_policy,
                   bool follow_updates, TM_FailureData *tmfd);
void finish_speculative(Relation rel, ItemPointer tid);
void abort_speculative(Relation rel, ItemPointer tid);

}  // namespace glassheap::heap
