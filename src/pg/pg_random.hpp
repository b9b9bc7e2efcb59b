// pg/pg_random.hpp — PostgreSQL's random numbers.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "common/pg_prng.h"
}
