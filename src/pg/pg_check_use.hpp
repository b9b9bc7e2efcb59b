// pg/pg_check_use.hpp — PostgreSQL's check that a table is not being scanned by this very session.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "commands/tablecmds.h"
}
