// guard/setting.hpp — glassheap.import_guard.
// Errors: define_settings may ereport(FATAL) at postmaster start.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::guard {

enum Mode : int { kRoute, kRefuse, kOff };

// Read at every call of a guarded function, so that a session's own setting counts.
extern int mode;

void define_settings();

}  // namespace glassheap::guard
