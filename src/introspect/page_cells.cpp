// introspect/page_cells.cpp — a table as a limited number of cells.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"
#include "introspect/page_cells.hpp"
#include "introspect/page_facts.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::introspect {

namespace {

void add_block(Relation rel, BlockNo block, Buffer *vmbuf, const FrameTable &frames, PageCell *cell) {
    cell->pages++;
    cell->free_bytes += fsm::recorded(rel, block);
    const std::uint8_t bits = vm::status(rel, block, vmbuf);
    if ((bits & vm::kAllVisibleBit) != 0) cell->visible++;
    if ((bits & vm::kAllFrozenBit) != 0) cell->frozen++;
    const buffer::FrameInfo *frame = frames.find(block);
    if (frame == nullptr) return;
    cell->cached++;
    if (frame->dirty) cell->dirty++;
}

}  // namespace

PageCells collect_cells(Relation rel, int most) {
    const FrameTable frames(rel, MAIN_FORKNUM);
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    const auto room = static_cast<BlockNo>(most);
    PageCells cells = {{}, blocks, std::max<BlockNo>(1, blocks / room + (blocks % room != 0 ? 1 : 0))};
    cells.cells.resize(blocks / cells.pages_per_cell + (blocks % cells.pages_per_cell != 0 ? 1 : 0));
    Buffer vmbuf = InvalidBuffer;
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        PageCell *cell = &cells.cells[block / cells.pages_per_cell];
        if (cell->pages == 0) cell->first = block;
        add_block(rel, block, &vmbuf, frames, cell);
    }
    if (BufferIsValid(vmbuf)) ::ReleaseBuffer(vmbuf);
    return cells;
}

PageCell total_of(const PageCells &cells) {
    PageCell total = {};
    for (const PageCell &cell : cells.cells) {
        total.pages += cell.pages;
        total.free_bytes += cell.free_bytes;
        total.visible += cell.visible;
        total.frozen += cell.frozen;
        total.cached += cell.cached;
        total.dirty += cell.dirty;
    }
    return total;
}

}  // namespace glassheap::introspect
