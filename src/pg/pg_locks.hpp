// pg/pg_locks.hpp — locks whose calls differ between versions: a relation's extension lock, and those one
// only tries for.
//
// Versions: 16 has ExtendBufferedRel beside the extension lock, which stays; 18 gives the Conditional
// functions
//         an argument of their own (logLockFailure).
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

inline void lock_extension(Relation rel) {
    ::LockRelationForExtension(rel, ExclusiveLock);
}
inline bool try_lock_extension(Relation rel) {
    return ::ConditionalLockRelationForExtension(rel, ExclusiveLock);
}
inline void unlock_extension(Relation rel) {
    ::UnlockRelationForExtension(rel, ExclusiveLock);
}
inline int extension_lock_waiters(Relation rel) {
    return ::RelationExtensionLockWaiterCount(rel);
}

// False: the transaction is still running.
inline bool has_transaction_ended(TransactionId xid) {
    return ::ConditionalXactLockTableWait(xid);
}
inline bool try_lock_tuple(Relation rel, const ItemPointerData &tid, LOCKMODE mode) {
    return ::ConditionalLockTuple(rel, const_cast<ItemPointer>(&tid), mode);
}

}  // namespace glassheap::pg
