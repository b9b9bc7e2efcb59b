// scan/analyze_count.hpp — what a row counts as for ANALYZE; shared by its two scans.
//
// Why:    the counts become reltuples and n_dead_tup; what counts as live must be heap's rule, because the
//         statistics messages of transactions in progress are added to it later.
// Errors: may longjmp.
// See:    PG: access/heap/heapam_handler.c, commands/analyze.c (facts)
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::scan {

enum class Counts : std::uint8_t { live, dead, neither };

// A transaction in progress is taken as not having happened, since it will report its own changes when it
// ends; our own is taken as having happened.  `page` may be nullptr: then no hint bit is set.
Counts count_row(HeapTuple tuple, TransactionId oldest_xmin, const buffer::PinnedPage *page);

}  // namespace glassheap::scan
