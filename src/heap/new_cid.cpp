// heap/new_cid.cpp — see heap/new_cid.hpp.
//
// Errors: may stand in a critical section.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/new_cid.hpp"
#include "pg/pg_heap_wal.hpp"

namespace glassheap::heap {

void log_command_ids(Relation rel, const HeapTupleData &tuple) {
    if (!RelationIsAccessibleInLogicalDecoding(rel)) [[likely]]
        return;
    HeapTupleHeader row = tuple.t_data;
    xl_heap_new_cid record{};
    record.top_xid = ::GetTopTransactionId();
    record.cmin = InvalidCommandId;
    record.cmax = InvalidCommandId;
    record.combocid = InvalidCommandId;
    record.target_node = rel->rd_node;
    record.target_tid = tuple.t_self;
    const bool only_inserted =
        (row->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask);
    if ((row->t_infomask & HEAP_COMBOCID) != 0) {
        record.cmin = ::HeapTupleHeaderGetCmin(row);
        record.cmax = ::HeapTupleHeaderGetCmax(row);
        record.combocid = HeapTupleHeaderGetRawCommandId(row);
    } else if (only_inserted) {
        record.cmin = HeapTupleHeaderGetRawCommandId(row);
    } else {
        record.cmax = HeapTupleHeaderGetRawCommandId(row);
    }
    ::XLogBeginInsert();
    ::XLogRegisterData(reinterpret_cast<char *>(&record), SizeOfHeapNewCid);
    ::XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_NEW_CID);
}

}  // namespace glassheap::heap
