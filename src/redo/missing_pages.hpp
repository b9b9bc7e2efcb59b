// redo/missing_pages.hpp — pages that WAL changes and that are not there.
//
// Why:    with full_page_writes off, or in a base backup, WAL may change a block of a file that is dropped or
//         truncated further on.  Such a change is skipped, but must be explained by the drop.  Core keeps the
//         book of its own missing pages (xlogutils.c), and its rules are the ones wanted: a page still
//         unexplained when an archive recovery or a standby becomes consistent is a PANIC, before anybody can
//         read; one met later is a PANIC at once; until explained there is no restartpoint; crash recovery,
//         where the explaining record may have been lost, refuses nothing.  So ours go into the same book.
// Errors: PANIC once the database is consistent (WARNING with ignore_invalid_pages).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include "pg/pg_relfile.hpp"

namespace glassheap::redo {

// Enters the block, absent or all zeroes.
void note_missing_page(const pg::RelFile &file, ForkNumber fork, BlockNo block);
// While a page of the relation, whose file exists, is entered, core keeps no place for a restartpoint.
void enter_imaginary_page(const pg::RelFile &file);
void remove_imaginary_page(const pg::RelFile &file);

}  // namespace glassheap::redo
