// pg/check_failed.cpp — a failed GH_ASSERT inside the server.
//
// Why:    reported the way PostgreSQL reports its own failed assertions, so that the log and the core dump
//         look familiar; the postmaster restarts the cluster.
// Errors: never returns.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

namespace glassheap {

void check_failed(const char *condition, const char *file, int line) noexcept {
    ::ExceptionalCondition(condition, "GlassheapCheck", file, line);
}

}  // namespace glassheap
