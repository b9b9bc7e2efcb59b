// heap/new_row.hpp — what insert, multi_insert and update have in common: the row's header and TOAST, and the
// row onto its page.
//
// Errors: prepare_row may longjmp; put_row never.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::heap {

// Fills in the header of `tuple` for insertion by `xid`; returns it, or a palloc'd copy with values moved
// out of line.
HeapTuple prepare_row(Relation rel, HeapTuple tuple, Xid xid, Cid cid, int options);

// Puts the row on page `block`, which has room for it (choose_page, or a run's image); sets tuple->t_self,
// and the stored ctid unless the row is speculative (then its ctid holds the token).  On a page of the pool
// inside the PageChange.
void put_row(page::PageEdit page, BlockNo block, HeapTuple tuple, bool speculative) noexcept;

}  // namespace glassheap::heap
