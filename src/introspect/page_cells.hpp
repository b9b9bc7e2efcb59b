// introspect/page_cells.hpp — a table as a limited number of cells, each standing for one or more pages.
//
// Why:    a picture has room for some thousand cells, a table may have millions of pages.  Only the maps and
//         the pool are asked, no page is read, so that a picture of a large table costs little.
// Errors: may longjmp (I/O of the maps, memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/containers.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

struct PageCell {
    BlockNo first;
    std::uint32_t pages;
    std::uint64_t free_bytes;  // as the free space map has it
    std::uint32_t visible;
    std::uint32_t frozen;
    std::uint32_t cached;
    std::uint32_t dirty;

    int free_percent() const noexcept {
        return pages == 0 ? 0
                          : static_cast<int>(free_bytes * 100 / (static_cast<std::uint64_t>(pages) * BLCKSZ));
    }
};
struct PageCells {
    Vector<PageCell> cells;
    BlockNo blocks;
    BlockNo pages_per_cell;

    int count() const noexcept { return static_cast<int>(cells.size()); }
};
PageCells collect_cells(Relation rel, int most);
PageCell total_of(const PageCells &cells);

}  // namespace glassheap::introspect
