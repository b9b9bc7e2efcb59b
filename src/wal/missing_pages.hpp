// wal/missing_pages.hpp — blocks that replay wanted to change but did not find.
//
// Why:    with full_page_writes off, or in a base backup, WAL may change a block of a file that is dropped or
//         truncated further on.  Such a change is skipped, but must be explained by the drop: a block that
//         is still missing when the database is consistent means lost data (PG does the same in xlogutils.c).
// Errors: PANIC when a block stays unexplained, WARNING with ignore_invalid_pages.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::wal {

void note_missing_page(const RelFileNode &node, ForkNumber fork, BlockNo block);
// The file was dropped, or cut to `first` blocks.
void explain_missing_pages(const RelFileNode &node, BlockNo first_main, bool whole_relation);
void explain_missing_pages_of_database(Oid database);
// Called where the database is known to be consistent.
void check_missing_pages();

}  // namespace glassheap::wal
