// storage/grow.hpp — making files longer.
//
// Errors: may longjmp (full disk, I/O); messages name the file.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include "pg/pg_relfile.hpp"

namespace glassheap::storage {

void define_settings();  // glassheap.file_extend_method

// Appends `count` pages of zeroes at `first`, the present end of the fork, with disk space for all of them: a
// full disk is found out now.
void extend_zeroed(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo first,
                   BlockNo count);

}  // namespace glassheap::storage
