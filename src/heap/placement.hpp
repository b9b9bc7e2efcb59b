// heap/placement.hpp — which page a new row goes to.
//
// Why:    insert, multi_insert and update need the same thing: a page with room, latched, with the map pages
//         at hand whose bits will have to be cleared.  For one session the sequence of blocks is exactly
//         heap's: tests print ctids.
// Invariants: heap.P1 two page latches are taken in block order.
//             heap.P2 on return the map page of every latched all-visible page is pinned.
//             heap.P3 a page is filled beyond the fillfactor only by a row that would not fit elsewhere
//             either.
// Locking: call without page latches; returns with the chosen page (and `other`) latched exclusively.
// Errors: may longjmp (I/O, disk full, 54000 row is too big).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::heap {

struct PlaceRequest {
    Relation rel;
    Size length;                                // of the row, header included
    int options = 0;                            // HEAP_INSERT_*
    bool bulk = false;                          // recycle the ring of bulk writes
    const buffer::PinnedPage *other = nullptr;  // page of the old version: latched as well on return
    Buffer *vmbuf;                              // in/out: map page of the chosen page
    Buffer *vmbuf_other = nullptr;              // in/out: map page of *other
};

// Returns an empty page when the choice is *other itself.
buffer::PinnedPage choose_page(const PlaceRequest &request);

// Free space that a page must have to be given a row of `length` bytes: with what the fillfactor reserves.
Size space_wanted(Relation rel, Size length) noexcept;

// Pins the map page of a page that looks all-visible; without a latch that is a guess.
void pin_vm_if_visible(Relation rel, const buffer::PinnedPage &page, Buffer *vmbuf);

}  // namespace glassheap::heap
