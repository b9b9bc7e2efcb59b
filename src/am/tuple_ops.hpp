// am/tuple_ops.hpp — the table AM's row operations, in terms of slots.
//
// Why:    heap/ speaks of tuples and TIDs, the executor of slots; row locks chase update chains here.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

void insert(Relation rel, TupleTableSlot *slot, Cid cid, int options, BulkInsertState bistate);
void insert_speculative(Relation rel, TupleTableSlot *slot, Cid cid, int options, BulkInsertState bistate,
                        uint32 token);
void complete_speculative(Relation rel, TupleTableSlot *slot, bool succeeded);
TM_Result update(Relation rel, ItemPointer otid, TupleTableSlot *slot, Cid cid, Snapshot crosscheck,
                 bool wait, TM_FailureData *tmfd, LockTupleMode *lockmode, bool *update_indexes);
TM_Result lock(Relation rel, ItemPointer tid, TupleTableSlot *slot, Cid cid, LockTupleMode mode,
               LockWaitPolicy wait_policy, uint8 flags, TM_FailureData *tmfd);

}  // namespace glassheap::am
