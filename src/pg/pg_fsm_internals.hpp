// pg/pg_fsm_internals.hpp — the stock layout of a free space map page.
// Versions: the same in 15 to 18.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/fsm_internals.h"
}

namespace glassheap::pg {

inline constexpr unsigned kFsmNodesPerPage = NodesPerPage;
inline constexpr unsigned kFsmLeavesPerPage = LeafNodesPerPage;

inline const FSMPageData *fsm_of(const char *page) noexcept {
    return reinterpret_cast<const FSMPageData *>(page + MAXALIGN(SizeOfPageHeaderData));
}
// The binary tree of a page, root first.
inline const std::uint8_t *fsm_nodes(const char *page) noexcept {
    return fsm_of(page)->fp_nodes;
}
// Where the next search begins.
inline int fsm_next_slot(const char *page) noexcept {
    return fsm_of(page)->fp_next_slot;
}

}  // namespace glassheap::pg
