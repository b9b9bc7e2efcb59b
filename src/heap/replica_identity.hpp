// heap/replica_identity.hpp — what of an old version goes into the log for logical decoding.
//
// Locking: the tuple's page is latched (the result may point into it).
// Errors: may longjmp (fetches out-of-line values).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

// nullptr: nothing has to be logged.  key_required: the identity columns change, or are stored out of line.
// *copied: the result is palloc'd.
HeapTuple old_row_for_log(Relation rel, HeapTuple old_tuple, bool key_required, bool *copied);

}  // namespace glassheap::heap
