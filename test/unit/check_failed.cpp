// test/unit/check_failed.cpp — a failed GH_ASSERT outside the server.
// SPDX-License-Identifier: PostgreSQL
#include <cstdio>
#include <cstdlib>

#include "base/check.hpp"

namespace glassheap {

void check_failed(const char *condition, const char *file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    std::abort();
}

}  // namespace glassheap
