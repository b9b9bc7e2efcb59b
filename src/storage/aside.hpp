// storage/aside.hpp — pages and marks of relations that are in two pools, kept beside their files.
//
// Why:    when a page was changed in our pool and in shared_buffers, neither version may overwrite the
//         other. shared_buffers' goes into the file, for nobody can stop it; ours goes here.  What is
//         here survives a crash and shutdown, and so does the mark.
// Layout: folder glassheap_two_pools of the data directory; SPC_DB_REL the mark (empty),
//         SPC_DB_REL_FORK_BLOCK one page of 8 kB.  A page appears by rename, whole and synced.
// Errors: write and mark may longjmp (I/O).  The rest never does, unless said.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include "pg/pg_relfile.hpp"

namespace glassheap::storage {

void write_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block, char *page);  // sets the checksum
// False: there is no such page.  May longjmp (I/O; a damaged file is ERRCODE_DATA_CORRUPTED).
bool read_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block, char *page);
void remove_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept;
// Of the main fork, from this block on: the file was cut there.  May longjmp.
void remove_aside_from(const pg::RelFile &file, BlockNo first);

struct AsidePage {
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;
};
// May longjmp; an error in `visit` leaves the folder open.
void for_each_aside(const pg::RelFile &file, void (*visit)(const AsidePage &page));

void write_mark(const pg::RelFile &file);
bool try_write_mark(const pg::RelFile &file) noexcept;  // false: errno says why
bool has_mark(const pg::RelFile &file) noexcept;
bool has_mark_of_database(Oid database);  // may longjmp: the folder cannot be read
void remove_mark(const pg::RelFile &file) noexcept;
// In one tablespace, or, without, in all.
void for_each_mark_of_database(Oid database, Oid tablespace, void (*visit)(const pg::RelFile &file)) noexcept;
// Removes pages whose mark is gone, and marks whose relation is gone (not those of a tablespace that is not
// there); calls `visit` for the other marks.
// At server start: may longjmp (unreadable folder).
void load_marks(void (*visit)(const pg::RelFile &file));

}  // namespace glassheap::storage
