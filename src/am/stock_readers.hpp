// am/stock_readers.hpp — contrib functions that read tables through shared_buffers, where our pages are not.
//
// Why:    pageinspect, pg_visibility and pg_freespacemap would show copies of our pages that are old, or not
//         there yet.  While one of them runs, its table's pages are written out and the old copies dropped,
//         so that it sees what is; the two functions that would also change the copies are refused
//         (doc/design/files.md#one-file-two-pools).
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

void install_stock_reader_hooks();  // in _PG_init

// Called by the relation_size callback: the first thing that such a function does with a table is to ask its
// size.  Shows it the table as it is, or ereports ERRCODE_FEATURE_NOT_SUPPORTED.
void meet_stock_reader(Relation rel);

}  // namespace glassheap::am
