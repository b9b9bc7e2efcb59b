// pg/clock.hpp — for intervals: a clock that nobody sets.  GetCurrentTimestamp is wall time.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "portability/instr_time.h"
}

namespace glassheap::pg {

inline std::int64_t monotonic_ms() noexcept {
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    return static_cast<std::int64_t>(INSTR_TIME_GET_MICROSEC(now) / 1000);
}

}  // namespace glassheap::pg
