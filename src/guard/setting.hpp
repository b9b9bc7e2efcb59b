// guard/setting.hpp — glassheap.import_guard, glassheap.unguarded_libraries.
// Errors: define_settings may ereport(FATAL) at postmaster start.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::guard {

enum Mode : int { kRoute, kRefuse, kOff };

// Read at every call of a guarded function, so that a session's own setting counts.
extern int mode;

// Read when a library is loaded.
enum UnguardedMode : int { kRefuseUnguarded, kWarnUnguarded };
extern int unguarded_mode;

void define_settings();

}  // namespace glassheap::guard
