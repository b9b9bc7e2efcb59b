// fsm/free_space_map.hpp — which page of a table has room for a row.
//
// Why:    design.D11: heap's FSM fork format and tree, in our pool; own search.
// Invariants: fsm.F1 the map is a hint: a wrong value costs a visit, never correctness.
// Locking: takes and releases latches of FSM pages; call without latches on heap pages where stated (*),
//         elsewhere an exclusive latch on a heap page may be held (heap page before FSM page).
// Errors: may longjmp (I/O).
// WAL:    none of its own; updates are hints (mark_dirty_hint) and are repeated by redo of heap records.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::fsm {

BlockNo find(Relation rel, Size needed);  // (*)
// What the pages of the map that are in the pool know; reads none (*).  *complete is set to false when the
// search ended at a page that is not there.
BlockNo find_cached(Relation rel, Size needed, bool *complete);
BlockNo record_and_find(Relation rel, BlockNo old_block, Size old_avail, Size needed);  // (*)
void record(Relation rel, BlockNo block, Size avail);
Size recorded(Relation rel, BlockNo block);  // 0 when the map has no such page
// Propagates leaf maxima of heap blocks [first, end) to the upper levels.
void update_upper(Relation rel, BlockNo first, BlockNo end);
// New pages [first, end) with `avail` bytes each, in one go.
void record_range(Relation rel, BlockNo first, BlockNo end, Size avail);
// The same in the pages of the map that are in the pool, for use under the extension lock.  False: not all of
// it could be recorded (a page is missing, or the range crosses one).
bool record_range_cached(Relation rel, BlockNo first, BlockNo end, Size avail);
// How many heap blocks from `block` on that could record, as far as the lowest level tells.
int slots_in_pool(Relation rel, BlockNo block);
// FSM blocks left when the heap has `heap_blocks`; clears the tail of the last kept page.
// kInvalidBlock when the map needs no truncation.
BlockNo prepare_truncate(Relation rel, BlockNo heap_blocks);
// Redo: leaf only, no search; creates the fork if missing.
void redo_record(const pg::RelFile &file, BlockNo heap_block, Size avail);
void redo_truncate(const pg::RelFile &file, BlockNo heap_blocks);
int category_of(Size avail) noexcept;  // 0..255 as stored
Size category_to_avail(int category) noexcept;

}  // namespace glassheap::fsm
