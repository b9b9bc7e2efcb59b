// pg/pg_heap_wal.hpp — the records of PostgreSQL's own heap that core's logical decoding wants of every table
//         with user_catalog_table.
// Versions: 16 names the file target_locator.
// Errors: may longjmp (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

extern "C" {
#include "access/heapam_xlog.h"
}

namespace glassheap::pg {

struct CommandIds {
    CommandId cmin = InvalidCommandId;
    CommandId cmax = InvalidCommandId;
    CommandId combo = InvalidCommandId;
};

inline void log_new_cid(TransactionId top_xid, const CommandIds &ids, const RelFile &file,
                        const ItemPointerData &tid) {
    xl_heap_new_cid record = {};
    record.top_xid = top_xid;
    record.cmin = ids.cmin;
    record.cmax = ids.cmax;
    record.combocid = ids.combo;
    record.target_node = file;
    record.target_tid = tid;
    ::XLogBeginInsert();
    ::XLogRegisterData(reinterpret_cast<char *>(&record), SizeOfHeapNewCid);
    ::XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_NEW_CID);
}

}  // namespace glassheap::pg
