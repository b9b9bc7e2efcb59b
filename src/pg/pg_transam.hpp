// pg/pg_transam.hpp — counters that PostgreSQL keeps in shared memory: transaction ids, numbers.
// Versions: 17 names them TransamVariables.
// Errors: never longjmps (the locks are LWLocks).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

struct XidRange {
    FullTransactionId next;
    TransactionId oldest;
};
inline XidRange xids_in_use() noexcept {
    ::LWLockAcquire(XidGenLock, LW_SHARED);
    const XidRange range = {ShmemVariableCache->nextXid, ShmemVariableCache->oldestXid};
    ::LWLockRelease(XidGenLock);
    return range;
}
// Older ones are not in the commit log.  The caller holds XactTruncationLock.
inline TransactionId oldest_clog_xid() noexcept {
    return ShmemVariableCache->oldestClogXid;
}
// The next number that is given out to a new object or file.
inline Oid next_number() noexcept {
    ::LWLockAcquire(OidGenLock, LW_SHARED);
    const Oid next = ShmemVariableCache->nextOid;
    ::LWLockRelease(OidGenLock);
    return next;
}

}  // namespace glassheap::pg
