// pg/pg_guc.hpp — PostgreSQL's headers for the inside of its settings.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/guc_tables.h"
}
