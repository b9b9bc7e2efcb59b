// heap/handed_pages.hpp — pages of rows that were handed out as copies and are still being looked at.
//
// Why:    heap's slots pin the page of a row fetched by address, so an AFTER trigger's own statements never
//         prune the page of the row that the trigger was called for.  Our slots hold a copy and no pin
//         (slot.R4); without this memory the page would be pruned earlier than heap's, and space reused
//         earlier: rows would come in another order.  It is a courtesy to users, nothing depends on it.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

// A row of the block was fetched by its address (scan/tid.cpp).
void note_handed_out(Relation rel, BlockNo block) noexcept;
// Was a row of the block handed out at an outer level of triggers than the one that runs now, or is it the
// last one handed out by the command that runs now?
bool is_handed_out(Relation rel, BlockNo block) noexcept;

}  // namespace glassheap::heap
