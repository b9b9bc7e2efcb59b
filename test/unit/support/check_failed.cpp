// test/unit/support/check_failed.cpp — where a failed GH_ASSERT of pure code ends in the unit tests.
//
// Why:    the module reports through PostgreSQL; a test prints and aborts, which a death test can expect.
// SPDX-License-Identifier: PostgreSQL
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace glassheap {

void check_failed(const char *condition, const char *file, int line) noexcept {
    std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    std::fflush(stderr);
    std::abort();
}

}  // namespace glassheap
