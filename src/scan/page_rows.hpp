// scan/page_rows.hpp — which rows of one page does a snapshot see?
//
// Why:    asked once per page, not once per row: pages that everybody sees need no look at tuple headers at
//         all, and on the others each inserting transaction is judged once (design.D9).
// Locking: the page is pinned and latched share.
// Errors: may longjmp (commit log look-ups, serialization failures).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::scan {

// Does the snapshot see every tuple of the page, without asking the tuples?  Never under SERIALIZABLE
// conflict tracking (each read must be reported) and never for snapshots taken during recovery.
bool sees_whole_page(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot);

// Is every tuple of the page live (HEAPTUPLE_LIVE), as some scan found out (scan.P2)?  False: perhaps.  The
// flag PD_ALL_VISIBLE is not asked: index builds and VACUUM FULL must work, as in heap, where it is wrong.
inline bool has_live_rows_only(const buffer::PinnedPage &page) noexcept {
    return page.known_all_committed_upto() != kInvalidXid;
}
// Is the tuple live by its hints alone, whatever else is known?  False: perhaps.
inline bool is_plainly_live(HeapTuple tuple) noexcept {
    constexpr std::uint16_t kLive = page::kXminCommitted | page::kXmaxInvalid;
    return (tuple->t_data->t_infomask & kLive) == kLive;
}

struct PageRows {
    const SlotNo *rows;  // ascending; the caller's buffer, or a shared 1, 2, 3 ... when the page has no gaps
    int count;
};
// The line pointers of the tuples visible to `snapshot`.  `lock_rows`: take predicate locks on them (bitmap
// scans; a sequential scan has locked the whole relation).
PageRows visible_rows(Relation rel, const buffer::PinnedPage &page, Snapshot snapshot, bool lock_rows,
                      SlotNo *buffer);

}  // namespace glassheap::scan
