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
    pg::CommandIds ids;
    const bool only_inserted =
        (row->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask);
    if ((row->t_infomask & HEAP_COMBOCID) != 0) {
        ids.cmin = ::HeapTupleHeaderGetCmin(row);
        ids.cmax = ::HeapTupleHeaderGetCmax(row);
        ids.combo = HeapTupleHeaderGetRawCommandId(row);
    } else if (only_inserted) {
        ids.cmin = HeapTupleHeaderGetRawCommandId(row);
    } else {
        ids.cmax = HeapTupleHeaderGetRawCommandId(row);
    }
    pg::log_new_cid(::GetTopTransactionId(), ids, pg::file_of(rel), tuple.t_self);
}

}  // namespace glassheap::heap
