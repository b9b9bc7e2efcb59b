// am/ddl_hooks.hpp — commands that core carries out without asking the table AM, seen from the pool
//         (design.D5).
//
// Errors: hooks may longjmp, as the commands may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

void install_ddl_hooks();  // in _PG_init

}  // namespace glassheap::am
