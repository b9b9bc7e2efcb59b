// buffer/page_summaries.hpp — page summaries (design.D9) of pages that have left the pool.
//
// Why:    the first scan of a page finds out that everybody sees all of it.  When the page's frame goes to
//         another page, that is kept here, and when the page comes back, it is in the new frame at once.  So
//         neither a table larger than the pool nor one that was away has its inserters looked up again, and
//         nothing was written to spare it that.
// Invariants: pool.K1 what is kept holds for the page as it was at one LSN, and is given out for that LSN
//            only.  A logged change takes a new LSN, so nobody has to tell this table of any change, not
//            even who changes the page in shared_buffers (design.D17).  Unlogged are hints alone.
//         pool.K2 only of pages found so while RelationNeedsWAL held: permanent, and not of a file that this
//            transaction made and does not log (wal_level = minimal), whose pages may keep an LSN over a
//            change.  Nothing is kept in recovery, for nothing is found out then (scan.P1).
//         pool.K3 a summary is kept before its frame is out of the page table, under the partition lock of
//            its tag.  So forget_summaries, after the pages were forgotten, misses none.
//         pool.K4 of a file that was dropped, or is new under its number, nothing is left: a copied page has
//            its old LSN, and what pool.K2 speaks of may follow.
// Locking: the table's partition locks, taken under those of the page table, and nothing under them.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

std::size_t page_summaries_bytes() noexcept;
void map_page_summaries(bool fresh);

// The page leaves the pool: its frame, clean and pinned by this process alone, is about to be taken out of
// the page table, whose partition lock is held.
void keep_summary(FrameNo frame) noexcept;
// The page was just read; nobody sees it yet.  What Frame::known begins with.
std::uint64_t summary_of_read_page(FrameNo frame) noexcept;

// Linear in the extents of the relation, if it has any summaries; more exactly in the most extents that a
// relation of the same hash (one of 1024) ever had, and in the sets at most.
void forget_summaries(const pg::RelFile &file) noexcept;
void forget_summaries_of(Oid database, Oid tablespace /* InvalidOid: any */) noexcept;

void reset_summary_counts() noexcept;

}  // namespace glassheap::buffer
