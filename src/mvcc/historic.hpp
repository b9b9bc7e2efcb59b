// mvcc/historic.hpp — what logical decoding sees: the catalog as of a moment in the WAL.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::mvcc {

// For tables marked user_catalog_table, which output plugins may read.
bool visible_to_decoder(HeapTuple tuple, Snapshot snapshot);

}  // namespace glassheap::mvcc
