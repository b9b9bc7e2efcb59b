// pg/pg_fsm_internals.hpp — the stock layout of a free space map page.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/fsm_internals.h"
}
