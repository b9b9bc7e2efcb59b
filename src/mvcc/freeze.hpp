// mvcc/freeze.hpp — what freezing a tuple does to its header, and whether it must or may be frozen.
//
// Why:    the plan is made before the critical section (multixacts may be created and looked up), applied
//         by page/page_edit (foreground and redo).
// Errors: may longjmp; ERRCODE_DATA_CORRUPTED for xids beyond the relation's horizons.
// See:    PG: access/heap/heapam.c (facts), README.tuplock.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/page_edit.hpp"
#include "pg/pg.hpp"

namespace glassheap::mvcc {

struct FreezeCutoffs {
    Xid relfrozenxid;  // of the relation, for sanity checks
    MultiXactId relminmxid;
    Xid freeze_limit;          // xids older than this are frozen
    MultiXactId multi_cutoff;  // multixacts older than this are replaced
};
struct FreezeOutcome {
    bool must_freeze;     // plan was filled and has to be applied
    bool totally_frozen;  // after applying the plan (if any) no xid is left in the header
};
// Plans one tuple.  new_relfrozenxid and new_relminmxid are pulled back to the oldest id that stays.
FreezeOutcome plan_freeze(HeapTupleHeader tuple, SlotNo slot, const FreezeCutoffs &cutoffs,
                          page::FreezePlan *plan, Xid *new_relfrozenxid, MultiXactId *new_relminmxid);
// Would the tuple need freezing with these cutoffs (vacuum that could not get the cleanup latch)?
bool needs_freeze(HeapTupleHeader tuple, Xid freeze_limit, MultiXactId multi_cutoff, Xid *new_relfrozenxid,
                  MultiXactId *new_relminmxid);

}  // namespace glassheap::mvcc
