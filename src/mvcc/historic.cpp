// mvcc/historic.cpp — visibility for a historic snapshot of logical decoding.
//
// Why:    such a snapshot lists the transactions that had committed (xip), where others list the running
//         ones; and for the transaction being decoded (subxip) the command ids come from the reorder
//         buffer, because a combo command id of another backend means nothing here.
// Invariants: only used while decoding, for tables accessible in logical decoding; their row changes log new
//         command ids (XLOG_HEAP2_NEW_CID), from which the reorder buffer's table is built.
// Locking: share latch on the page.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "mvcc/historic.hpp"

#include "mvcc/decoded_cids.hpp"
#include "mvcc/multi.hpp"

namespace glassheap::mvcc {

namespace {

bool is_known_committed(Xid xid, Snapshot s) noexcept {
    return s->xcnt > 0 && std::binary_search(s->xip, s->xip + s->xcnt, xid);
}

bool inserted_before(HeapTuple tuple, const page::TupleHead &t, Snapshot s) {
    const Xid xmin = rules::xmin_frozen(t) ? kFrozenXid : t.xmin;
    if (rules::xmin_invalid(t)) return false;
    if (is_decoded_one(xmin, s)) {
        // Not in the table: its command was not decoded yet, so it is in the future.
        const CommandIds ids = decoded_cids(tuple, s);
        return ids.known && ids.cmin < s->curcid;
    }
    if (xid_precedes(xmin, s->xmin)) return rules::xmin_committed(t) || ::TransactionIdDidCommit(xmin);
    if (!xid_precedes(xmin, s->xmax)) return false;
    return is_known_committed(xmin, s);
}

bool deleted_before(HeapTuple tuple, const page::TupleHead &t, Snapshot s) {
    if (rules::has(t, page::kXmaxInvalid) || rules::locks_only(t)) return false;
    const Xid xmax = rules::has(t, page::kXmaxIsMulti) ? updater_in_multi(t.xmax) : t.xmax;
    if (is_decoded_one(xmax, s)) {
        const CommandIds ids = decoded_cids(tuple, s);
        return ids.known && ids.cmax != kInvalidCid && ids.cmax < s->curcid;
    }
    if (xid_precedes(xmax, s->xmin)) {
        return rules::has(t, page::kXmaxCommitted) || ::TransactionIdDidCommit(xmax);
    }
    if (!xid_precedes(xmax, s->xmax)) return false;
    return is_known_committed(xmax, s);
}

}  // namespace

bool visible_to_decoder(HeapTuple tuple, Snapshot snapshot) {
    const page::TupleHead &t = head_of(tuple->t_data);
    return inserted_before(tuple, t, snapshot) && !deleted_before(tuple, t, snapshot);
}

}  // namespace glassheap::mvcc
