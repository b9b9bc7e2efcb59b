// mvcc/decoded_cids.hpp — command ids of the transaction that logical decoding is at.
//
// Why:    a row's command id, or combo command id, means something to its own backend only; the decoder
//         has them from XLOG_HEAP2_NEW_CID records, by file and address.  VACUUM FULL and CLUSTER may
//         since have given the row another address in another file: what they wrote to
//         pg_logical/mappings leads there.
// Locking: the caller's share latch is held over the reading of mappings, as in core.
// Errors: may longjmp (files of mappings are read).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::mvcc {

// Is it one of the decoded transaction's, whose ids a historic snapshot keeps sorted in subxip?
inline bool is_decoded_one(Xid xid, Snapshot s) noexcept {
    return s->subxcnt > 0 && std::binary_search(s->subxip, s->subxip + s->subxcnt, xid);
}

struct CommandIds {
    bool known = false;  // false: the command was not decoded yet, so it is in the future
    Cid cmin = kInvalidCid;
    Cid cmax = kInvalidCid;
};

// Of a row that is in the file of its (open) table now, seen with the historic snapshot `snapshot`.
CommandIds decoded_cids(HeapTuple tuple, Snapshot snapshot);

}  // namespace glassheap::mvcc
