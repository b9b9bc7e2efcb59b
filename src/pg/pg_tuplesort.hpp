// pg/pg_tuplesort.hpp — sorting.
// Versions: 16 gives tuplesort_getdatum an argument that asks for a copy.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/tuplesort.h"
}

namespace glassheap::pg {

// The next value upwards; valid until the next call if it is not passed by value.  False: no more.
inline bool next_sorted_datum(Tuplesortstate *sort, Datum *value, bool *is_null) {
    return ::tuplesort_getdatum(sort, true, value, is_null, nullptr);
}

}  // namespace glassheap::pg
