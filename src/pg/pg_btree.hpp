// pg/pg_btree.hpp — where a btree scan stands in its leaf.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_am_d.h"
}
