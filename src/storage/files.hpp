// storage/files.hpp — the pool's way to files: blocks in, blocks out, through the storage manager.
//
// Why:    one place that knows smgr; it caches nothing but what smgr caches.
// Errors: everything may longjmp (I/O); messages name the file.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include "pg/pg_relfile.hpp"

namespace glassheap::storage {

void read_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block, char *page);
// Reads up to `count` consecutive blocks with one call; returns how many came whole.  Never an error: the
// caller reads what is missing by read_block, which reports it.
BlockNo read_blocks(const pg::RelFile &file, ForkNumber fork, BlockNo first, BlockNo count,
                    char *const *pages);
inline constexpr BlockNo kReadRunMax = 16;
// Sets the checksum in `page`, a private copy, and writes it; the file is queued for the next checkpoint's
// fsync unless it is a temporary one.
void write_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block, char *page);
void write_back(const pg::RelFile &file, ForkNumber fork, BlockNo first, BlockNo count);
void prefetch_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block);
BlockNo block_count(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork);
// Is there a file for the fork?  (For redo and temporary relations: asks the file system.)
bool file_exists(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork);
void create_file_in_redo(const pg::RelFile &file, ForkNumber fork);

// "base/5/16384", for messages; palloc'd.
char *path_of(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork);
// Is the page, as read, what was written?  Header and checksum; honours ignore_checksum_failure and counts
// checksum failures.
bool page_is_verified(char *page, BlockNo block);
bool page_is_intact(char *page, BlockNo block);  // silently, and whatever ignore_checksum_failure says

}  // namespace glassheap::storage
