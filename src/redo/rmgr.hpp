// redo/rmgr.hpp — registration of our resource manager and the wrappers around core's (design.D4).
// Errors: register_rmgr ereports at server start when the id is taken.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::redo {

void register_rmgr();   // in _PG_init, while shared_preload_libraries are loaded
void wrap_core_redo();  // doc/design/recovery.md#restartpoints

}  // namespace glassheap::redo
