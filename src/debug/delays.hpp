// debug/delays.hpp — random short delays at stop points, for the loop of test/crash.
//
// Why:    races show where processes are slow at the wrong place.  Which places those are is not known
//         beforehand, so all of them are tried: GH_STOP_POINT_DELAYS="seed per_mille microseconds" in the
//         postmaster's environment, which outlives crashes and holds in recovery as well.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"
//
#include <atomic>

namespace glassheap::debug {

void read_delays() noexcept;  // by the postmaster
// `processes` numbers them: each has random numbers of its own, from the seed.
void delay_sometimes(std::atomic<std::uint32_t> *processes) noexcept;

}  // namespace glassheap::debug
