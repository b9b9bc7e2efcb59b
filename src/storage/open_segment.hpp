// storage/open_segment.hpp — the descriptor that the storage manager has open, for calls that it does not
// make.
//
// Errors: may longjmp (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include "pg/pg_files.hpp"
#include "pg/pg_smgr.hpp"

namespace glassheap::storage {

// Of the segment that holds `block`: -1 unless it is open and really that file.
File open_segment(SMgrRelation smgr, ForkNumber fork, BlockNo block);

}  // namespace glassheap::storage
