// pg/pg_heap_wal.hpp — the record structs of PostgreSQL's own heap (only for the records that core's
//         logical decoding wants of every table with user_catalog_table).
// Errors: none.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/heapam_xlog.h"
}
