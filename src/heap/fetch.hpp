// heap/fetch.hpp — finding one version of a row by its address.
//
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::heap {

// The version at tuple->t_self, if visible to the snapshot: t_data points into *page (pinned, unlatched).
// keep_invisible: hand out the pin and t_data also when not visible (returns false).
bool fetch(Relation rel, Snapshot snapshot, HeapTuple tuple, buffer::PinnedPage *page, bool keep_invisible);
// Follows the HOT chain rooted at *tid in the latched (share) page; on success *tid is the visible member
// and `tuple` points into the page.  *all_dead (may be nullptr): every member is dead to everybody.
bool hot_search(Relation rel, ItemPointer tid, const buffer::PinnedPage &page, Snapshot snapshot,
                HeapTuple tuple, bool *all_dead, bool first_call);
// Moves *tid to the newest version visible to the snapshot (currtid, WHERE CURRENT OF).
void latest_tid(Relation rel, Snapshot snapshot, ItemPointer tid);
// root_slots[i - 1] is the line pointer that index entries for slot i point to; kInvalidSlot if none.
void root_slots(page::PageView view, SlotNo *root_slots);

}  // namespace glassheap::heap
