// introspect/target.hpp — which relation an SQL function was given, and whether it is one of ours.
//
// Why:    every function refuses the same mistakes with the same words.
// Errors: may longjmp: WRONG_OBJECT_TYPE (not a table of ours), UNDEFINED_TABLE (dropped meanwhile),
//         FEATURE_NOT_SUPPORTED (temporary table of another session), INVALID_PARAMETER_VALUE (block),
//         OBJECT_NOT_IN_PREREQUISITE_STATE (library not preloaded), INSUFFICIENT_PRIVILEGE.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "pg/pg_introspect.hpp"

namespace glassheap::introspect {

// Opens and locks a glassheap table; close with close_table.
Relation open_table(Oid relid, LOCKMODE lock = AccessShareLock);
inline void close_table(Relation rel, LOCKMODE lock = AccessShareLock) {
    ::relation_close(rel, lock);
}
// As open_table, but an unlogged table on a standby is let through.
Relation open_for_verification(Oid relid, LOCKMODE lock);
bool is_glassheap(Relation rel);

// A block number as given by the user: any number a fork could have.
BlockNo to_block(int64 given);
// ... and one that this fork has.
BlockNo existing_block(Relation rel, ForkNumber fork, int64 given);

void require_superuser();  // raw page bytes

// The 8192 bytes of a page given as bytea, copied to aligned memory.
char *page_from_bytea(const bytea *raw);
// A private copy of a page as the pool (VM, init: PostgreSQL's buffers) has it now; the fork must have it.
char *copy_page(Relation rel, ForkNumber fork, int64 given);
char *copy_page_of(Oid table, ForkNumber fork, int64 given);

}  // namespace glassheap::introspect
