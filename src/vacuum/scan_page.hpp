// vacuum/scan_page.hpp — one page in the first pass.  Internal to the room.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {

// Prunes and freezes the page, sets its visibility map bits, collects its dead items, records its free
// space.  *vmbuf is pinned to the block's map page on return.
void scan_page(VacuumState &state, BlockNo block, Buffer *vmbuf);

}  // namespace glassheap::vacuum
