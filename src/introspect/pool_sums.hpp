// introspect/pool_sums.hpp — the pool summed up by fork.
// Errors: may longjmp (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/stats.hpp"

namespace glassheap::introspect {

inline constexpr int kUsageMax = 5;  // usage counts go from 0 to 5, as in PostgreSQL's pool

struct ForkKey {
    pg::RelFile file;
    ForkNumber fork;
};
struct ForkSums {
    ForkKey key;
    int frames = 0;
    int dirty = 0;
    int pinned = 0;
    std::uint32_t usage[kUsageMax + 1] = {};
};
HTAB *sum_by_fork();  // of ForkSums, in the current memory context

}  // namespace glassheap::introspect
