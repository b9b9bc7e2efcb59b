// heap/update_state.hpp — what the phases of an update hand to each other.
//
//     find and decide      update_find.cpp    row latched, ours to change, or a failure
//     prepare headers      update.cpp         new xmax of both versions, before anything changes
//     toast and place      update_place.cpp   the old row is locked while the latch is given up
//     renew headers        update.cpp         if it was: who joined our lock meanwhile
//     apply                update.cpp         both pages, maps, log: one critical section
//     finish               update.cpp         invalidation, pins, statistics
//
// Invariants: heap.U1 from the last decision to the apply phase the row is protected without a gap: by the
//                page latch, or by the lock that place wrote on it.  Beside us that lock may name an updater,
//                but one that was rolled back.
//             heap.U2 the lock keeps others from changing the row, not from locking it beside us (KEY SHARE
//                goes along with an update that leaves the key alone): no xmax computed before the latch was
//                given up is written after it without comparing.  The row's bytes, its place and its other
//                header fields stay: the page is pinned, so it is neither pruned nor frozen.
// Errors: every phase but apply may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/changed_columns.hpp"
#include "heap/row_access.hpp"
#include "heap/xmax.hpp"

namespace glassheap::heap {

struct Update {
    Relation rel;
    HeapTuple new_tuple;  // the caller's
    HeapTuple stored;     // new_tuple, or its toasted copy
    Cid cid;              // of this command; becomes a combo cid for the old version
    ColumnSets columns;
    RowQueue queue;

    buffer::PinnedPage page{};         // of the old version
    buffer::PinnedPage new_page{};     // empty when the new version goes to the same page
    Buffer vmbuf = InvalidBuffer;      // map page of `page`
    Buffer new_vmbuf = InvalidBuffer;  // map page of `new_page`
    HeapTupleData old_tuple{};         // points into `page`

    ColumnChanges changes{};
    LockTupleMode mode{};
    // What the wait found out about the holders of the old version.
    bool asked_holders = false;
    bool holders_remain = false;

    NewXmax old_xmax{};
    bool combo = false;
    bool let_go = false;  // the latch was given up after the headers were prepared
    Holder marked{};      // ... under this mark of ours

    SlotNo old_slot() const noexcept { return ItemPointerGetOffsetNumberNoCheck(&old_tuple.t_self); }
};

// Pins and latches the page of the old version, compares columns, chooses the lock strength.  False: the
// line pointer is not in use any more.
bool open_for_update(Update *update, ItemPointer otid);
// Latched on entry and exit.  TM_Ok: the row is ours to change, and the map page is pinned if needed.
TM_Result decide_update(Update *update, Snapshot crosscheck, bool wait);
// Toasts the new version and finds a page for it; on return that page and the old one are latched.
void place_new_version(Update *update);

}  // namespace glassheap::heap
