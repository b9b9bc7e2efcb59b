// pg/pg_am.hpp — OIDs of the access methods that PostgreSQL brings along.
// Errors: none; constants only.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "catalog/pg_am_d.h"
}
