// am/table_am.hpp — the callback table of the table access method.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

const TableAmRoutine *routine() noexcept;
// Is `rel` one of our tables?
bool is_ours(Relation rel) noexcept;

}  // namespace glassheap::am
