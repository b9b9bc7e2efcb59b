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

// Puts the row on the page that choose_page gave; sets tuple->t_self, and the stored ctid unless the row is
// speculative (then its ctid holds the token).  Inside the PageChange.
void put_row(const buffer::PinnedPage &page, HeapTuple tuple, bool speculative) noexcept;

}  // namespace glassheap::heap
