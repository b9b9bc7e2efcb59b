// scan/analyze_count.hpp — the rows of a page for ANALYZE, and what they count as; shared by its two scans.
//
// Why:    the counts become reltuples and n_dead_tup; what counts as live must be heap's rule, because the
//         statistics messages of transactions in progress are added to it later.
// Errors: may longjmp.
// See:    PG: access/heap/heapam_handler.c, commands/analyze.c (facts)
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::scan {

struct AnalyzedPage {
    char *bytes;
    BlockNo block;
    Oid table;
    const buffer::PinnedPage *pinned;  // nullptr: `bytes` is a private copy, in which no hint bit is set
    bool live_only;                    // every row of the page is live: nobody need be asked
    Xid live_inserter;                 // has committed, as was found out last, perhaps on an earlier page
};

// The next live row behind *row, in `tuple`; counts what it passes.  False: there is none on the page.
bool next_live_row(AnalyzedPage *page, SlotNo *row, Xid oldest_xmin, double *live, double *dead,
                   HeapTupleData *tuple);

}  // namespace glassheap::scan
