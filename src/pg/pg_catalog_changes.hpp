// pg/pg_catalog_changes.hpp — PostgreSQL's headers for what a transaction changed in pg_class.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "storage/sinval.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"
}
