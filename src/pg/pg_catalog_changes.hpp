// pg/pg_catalog_changes.hpp — PostgreSQL's headers for what a transaction changed in pg_class.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "storage/sinval.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
}

namespace glassheap::pg {

// The next number that is given out to a new object or file.
// Versions: 17 names the variables TransamVariables.
inline Oid next_number() noexcept {
    ::LWLockAcquire(OidGenLock, LW_SHARED);
    const Oid next = ShmemVariableCache->nextOid;
    ::LWLockRelease(OidGenLock);
    return next;
}

}  // namespace glassheap::pg
