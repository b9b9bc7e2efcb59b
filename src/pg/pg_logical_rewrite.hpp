// pg/pg_logical_rewrite.hpp — files that map old row addresses to new ones, for logical decoding.
// Versions: 16 names the files of a mapping old_locator and new_locator.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

#include <fcntl.h>

extern "C" {
#include "access/heapam_xlog.h"
#include "access/rewriteheap.h"
#include "storage/fd.h"
#include "utils/wait_event.h"
}

namespace glassheap::pg {

using RowMapping = LogicalRewriteMappingData;  // as it is in the file

inline RowMapping make_mapping(const RelFile &old_file, const ItemPointerData &old_tid,
                               const RelFile &new_file, const ItemPointerData &new_tid) noexcept {
    RowMapping mapping;
    std::memset(&mapping, 0, sizeof mapping);  // also what lies between the fields
    mapping.old_node = old_file;
    mapping.new_node = new_file;
    mapping.old_tid = old_tid;
    mapping.new_tid = new_tid;
    return mapping;
}

// ---- the reorder buffer's table of command ids: its entries are private to reorderbuffer.c, but their
// memory layout is what HistoricSnapshotGetTupleCids() hands out.  Versions: the same in 16 to 18.
struct TupleCidKey {
    RelFile file;
    ItemPointerData tid;
};
struct TupleCidEntry {
    TupleCidKey key;
    CommandId cmin;
    CommandId cmax;
    CommandId combocid;
};
inline TupleCidKey tuple_cid_key(const RelFile &file, const ItemPointerData &tid) noexcept {
    TupleCidKey key;
    std::memset(&key, 0, sizeof key);  // hashed with its padding
    key.file = file;
    key.tid = tid;
    return key;
}
inline TupleCidKey old_place(const RowMapping &mapping) noexcept {
    return tuple_cid_key(mapping.old_node, mapping.old_tid);
}
inline TupleCidKey new_place(const RowMapping &mapping) noexcept {
    return tuple_cid_key(mapping.new_node, mapping.new_tid);
}

// ---- writing.  A piece of a mapping file, about to be written at `offset`.
struct MappingPiece {
    TransactionId xid;
    Oid database;  // InvalidOid: a shared table
    Oid table;
    off_t offset;
    XLogRecPtr begin_lsn;  // of the rewrite
    const RowMapping *mappings;
    std::uint32_t count;
};
inline void log_mappings(const MappingPiece &piece) {
    xl_heap_rewrite_mapping record = {};
    record.mapped_xid = piece.xid;
    record.mapped_db = piece.database;
    record.mapped_rel = piece.table;
    record.offset = piece.offset;
    record.num_mappings = piece.count;
    record.start_lsn = piece.begin_lsn;
    ::XLogBeginInsert();
    ::XLogRegisterData(reinterpret_cast<char *>(&record), sizeof record);
    ::XLogRegisterData(reinterpret_cast<char *>(const_cast<RowMapping *>(piece.mappings)),
                       static_cast<int>(piece.count * sizeof(RowMapping)));
    ::XLogInsert(RM_HEAP2_ID, XLOG_HEAP2_REWRITE);
}

}  // namespace glassheap::pg
