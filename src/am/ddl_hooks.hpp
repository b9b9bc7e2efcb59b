// am/ddl_hooks.hpp — commands that core carries out without asking the table AM, seen from the pool (D5).
//
// Errors: hooks may longjmp, as the commands may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

void install_ddl_hooks();  // in _PG_init

// Called by the relation_size callback.  pg_visibility's pg_check_visible and pg_check_frozen read a table's
// pages through shared_buffers, set hint bits there and write them back over ours; the first thing they do
// with the table is to ask its size.  ereports when one of them is running.
void refuse_stock_page_checkers(Relation rel);

}  // namespace glassheap::am
