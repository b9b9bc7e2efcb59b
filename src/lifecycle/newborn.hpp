// lifecycle/newborn.hpp — files of tables that this transaction made.
//
// Why:    an abort unlinks them and nobody else has seen them, so when the catalog is asked whose they are
//         now (changed_owner), there is nothing to hand over unless the access method is another than at
//         birth. Core's own list tells only by walking all of it, and not what an outer transaction made.
// Known:  ours, by the table AM's callbacks; others' by OAT_POST_CREATE.  What core makes without either
//         (TRUNCATE, SET TABLESPACE of a heap table) the caller looks up in core's list, and notes.
// Cost:   constant per file; a subtransaction's end costs its own files.
// Invariants: files.N1 a file that is noted is one that an abort of the present (sub)transaction unlinks, or
//         it is gone: it leaves with the subtransaction that made it.
// Errors: noting may longjmp (memory); the rest does not.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

namespace glassheap::lifecycle {

// Whose access method works with the file, as far as was noted.
enum class Birth : std::uint8_t { unknown, ours, others };

void note_newborn(const pg::RelFile &file, Birth by);  // replaces what was noted before
Birth birth_of(const pg::RelFile &file) noexcept;
void newborns_at_subcommit(int nest_level) noexcept;
void newborns_at_subabort(int nest_level) noexcept;
void newborns_at_end() noexcept;

}  // namespace glassheap::lifecycle
