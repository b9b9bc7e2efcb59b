// debug/stop_points.hpp — named places where a test can hold a process, or make it fail or die.
//
// Why:    concurrency, crash and fault tests must not sleep and hope (CONTRIBUTING.md).
//
// Compiled in only with GH_CHECKS >= 1: GH_STOP_POINT(name) is nothing in release builds.  The SQL controls
// (glassheap_stop_point_set / _wait / _clear) exist always and say so when the build has no stop points.
// Errors: a stop point armed with 'error' ereports; so none stands in a critical section or under a spin
//         lock; GH_CRASH_POINT (arms: kill -9 of oneself) may stand anywhere.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::debug {

// name: as listed in debug/stop_points.list
void reach(const char *name);                 // waits, errors or returns, as armed
void reach_crash(const char *name) noexcept;  // kills the process if armed so
void request_shared_memory();
void init_shared_memory();

}  // namespace glassheap::debug

#define GH_STOP_POINT(name)                                                       \
    do {                                                                          \
        if constexpr (::glassheap::kChecks >= 1) ::glassheap::debug::reach(name); \
    } while (false)
#define GH_CRASH_POINT(name)                                                            \
    do {                                                                                \
        if constexpr (::glassheap::kChecks >= 1) ::glassheap::debug::reach_crash(name); \
    } while (false)
