// heap/prepare_row.hpp — header fields and TOAST of a row about to be inserted.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

// Fills in the header of `tuple` for insertion by `xid`; returns it, or a palloc'd copy with values moved
// out of line.
HeapTuple prepare_row(Relation rel, HeapTuple tuple, Xid xid, Cid cid, int options);

}  // namespace glassheap::heap
