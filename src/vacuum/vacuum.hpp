// vacuum/vacuum.hpp — VACUUM of one table.
// Errors: may longjmp.  Progress: pg_stat_progress_vacuum, phases as heap's.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::vacuum {

// Table AM relation_vacuum: transaction open, relation locked ShareUpdateExclusive.
void vacuum_relation(Relation rel, VacuumParams *params, BufferAccessStrategy strategy);

}  // namespace glassheap::vacuum
