// base/xid_order.hpp — the circular order of transaction ids and multixact ids.
//
// Why:    ids wrap around at 2^32; of two normal ids the one up to 2^31 behind is the older one.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/types.hpp"

namespace glassheap {

// Permanent ids (invalid, bootstrap, frozen) are older than every normal one.
constexpr bool is_normal_xid(Xid xid) noexcept {
    return xid >= kFirstNormalXid;
}
constexpr bool xid_precedes(Xid a, Xid b) noexcept {
    if (!is_normal_xid(a) || !is_normal_xid(b)) return a < b;
    return static_cast<std::int32_t>(a - b) < 0;
}
// Multixact ids know no permanent ones but 0.
constexpr bool multi_precedes(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace glassheap
