// pg/pg_vacuum.hpp — PostgreSQL headers that only vacuum needs.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/amapi.h"
#include "access/parallel.h"
#include "commands/dbcommands.h"
#include "executor/instrument.h"
#include "lib/stringinfo.h"
#include "optimizer/paths.h"
#include "portability/instr_time.h"
#include "tcop/tcopprot.h"
#include "utils/pg_rusage.h"
}
