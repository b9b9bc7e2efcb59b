// mvcc/serializable.cpp — telling serializable conflict detection who wrote what we read.
//
// Why:    a serializable reader that misses a concurrent write has a dangerous edge to the writer, also when
//         the version is invisible to it.
// Invariants: mvcc.S1 a version inserted concurrently and then updated by yet another transaction reports its
//            inserter while we cannot see it, and its updater only when we see it.
//         mvcc.S2 transactions older than every running one cannot conflict.
// Errors: may longjmp: ERRCODE_T_R_SERIALIZATION_FAILURE from PostgreSQL.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "mvcc/multi.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::mvcc {

namespace {

// The transaction whose write the reader missed, or Invalid.
Xid missed_writer(bool visible, HeapTuple tuple, const buffer::PinnedPage *page) {
    const HTSV_Result state = satisfies_vacuum(tuple, TransactionXmin, page);
    const Xid xmin = HeapTupleHeaderGetXmin(tuple->t_data);
    switch (state) {
        case HEAPTUPLE_LIVE:
            return visible ? kInvalidXid : xmin;
        case HEAPTUPLE_INSERT_IN_PROGRESS:
            return xmin;
        case HEAPTUPLE_RECENTLY_DEAD:
        case HEAPTUPLE_DELETE_IN_PROGRESS: {
            const Xid xid = visible ? HeapTupleHeaderGetUpdateXid(tuple->t_data) : xmin;
            return ::TransactionIdPrecedes(xid, TransactionXmin) ? kInvalidXid : xid;
        }
        case HEAPTUPLE_DEAD:
            break;
    }
    return kInvalidXid;
}

}  // namespace

void check_serializable_read(bool visible, Relation rel, HeapTuple tuple, const buffer::PinnedPage *page,
                             Snapshot snapshot) {
    if (!::CheckForSerializableConflictOutNeeded(rel, snapshot)) return;

    const Xid xid = missed_writer(visible, tuple, page);
    if (!TransactionIdIsValid(xid) || xid == ::GetTopTransactionIdIfAny()) return;
    const Xid top = ::SubTransGetTopmostTransaction(xid);
    if (::TransactionIdPrecedes(top, TransactionXmin)) return;
    ::CheckForSerializableConflictOut(rel, top, snapshot);
}

}  // namespace glassheap::mvcc
