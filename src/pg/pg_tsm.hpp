// pg/pg_tsm.hpp — TABLESAMPLE methods.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/tsmapi.h"
}
