// guard/functions.hpp — which of the server's functions are guarded.
//
// Errors: none.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstddef>

namespace glassheap::guard {

struct Guarded {
    const char *name;
    const void *stock;  // the server's function; nullptr if this server has none of that name
    void *wrapper;
    bool routed;  // false: always refused
};

// Sorted by name.
inline constexpr std::size_t kMostGuarded = 64;
extern const Guarded *const guarded_functions;
extern const std::size_t guarded_count;

const Guarded *find_guarded(const char *name) noexcept;
// By the address of the server's function.
const Guarded *find_stock(const void *address) noexcept;

}  // namespace glassheap::guard
