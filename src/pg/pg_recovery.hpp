// pg/pg_recovery.hpp — PostgreSQL's headers for replay: recovery state, and the records of core we listen to.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/rmgr.h"
#include "access/xlogrecovery.h"
#include "catalog/pg_control.h"
#include "commands/dbcommands_xlog.h"
}
