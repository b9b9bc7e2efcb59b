// base/check.hpp — assertions that work on both sides of the postgres.h line.
//
// Why:    GH_CHECKS (0 release, 1 asserts, 2 also what walks pages and tables: buffer/verify.hpp) is a build
//         setting; the condition is always compiled, so that a check cannot rot.
// Errors: a failed check aborts the process (the postmaster then restarts the cluster).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#ifndef GH_CHECKS
#define GH_CHECKS 0
#endif

namespace glassheap {

inline constexpr int kChecks = GH_CHECKS;

// Defined once per binary: in the module it reports through PostgreSQL, in unit tests it prints.
[[noreturn]] void check_failed(const char *condition, const char *file, int line) noexcept;

}  // namespace glassheap

#define GH_ASSERT(condition)                                               \
    do {                                                                   \
        if constexpr (::glassheap::kChecks >= 1) {                         \
            if (!(condition)) [[unlikely]]                                 \
                ::glassheap::check_failed(#condition, __FILE__, __LINE__); \
        }                                                                  \
    } while (false)

#define GH_PARANOID(condition)                                             \
    do {                                                                   \
        if constexpr (::glassheap::kChecks >= 2) {                         \
            if (!(condition)) [[unlikely]]                                 \
                ::glassheap::check_failed(#condition, __FILE__, __LINE__); \
        }                                                                  \
    } while (false)
