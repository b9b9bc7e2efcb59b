// introspect/visibility.hpp — emptying the visibility map, for who repairs a table.
// Errors: may longjmp.  WAL: core's truncation record.  The caller holds AccessExclusiveLock.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::introspect {

void truncate_map(Relation rel);

}  // namespace glassheap::introspect
