// pg/pg_tuplesort.hpp — sorting.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/tuplesort.h"
}
