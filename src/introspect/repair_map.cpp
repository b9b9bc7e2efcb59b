// introspect/repair_map.cpp — takes back what the visibility map says wrongly, here and on every standby.
//
// Why:    a wrong bit makes index-only scans return deleted rows and VACUUM pass over pages.  VACUUM mends
//         what it visits, but the bit itself keeps it away; and the wrong bit of a standby cannot be seen on
//         the primary.  So the map is compared with the pages, then logged page by page, wrong here or not.
// Locking: ShareUpdateExclusiveLock on the table, as VACUUM; a share latch on one page at a time, under which
//         its bits cannot change (vm/ vm.V1); then the map page alone.
// Errors: may longjmp; the map pages that were done by then stay right, the others are untouched.
// WAL:    core's full-page images of the map's pages; none for a table that is not logged.
// See:    vm/README.md.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "heap/row_access.hpp"
#include "introspect/target.hpp"
#include "vm/visibility_map.hpp"
#include "vm/vm_page.hpp"

namespace glassheap::introspect {

namespace {

bool has_unfrozen_tuple(const buffer::PinnedPage &page) {
    const page::PageView view = page.view();
    for (SlotNo slot = 1; slot <= view.max_slot(); ++slot) {
        const page::LinePointer line = view.line(slot);
        if (!line.is_normal()) continue;
        // Nothing is believed of what cannot be read.
        if (line.offset() + SizeofHeapTupleHeader > page::kPageSize) return true;
        if (::heap_tuple_needs_eventual_freeze(heap::header_at(page, slot))) return true;
    }
    return false;
}

// Which of `bits` the latched page contradicts.
std::uint8_t wrong_bits(const buffer::PinnedPage &page, std::uint8_t bits) {
    if (page.view().is_new() || !page.view().all_visible()) return bits;
    if ((bits & vm::kAllVisibleBit) == 0) return bits;  // all-frozen alone does not exist
    return (bits & vm::kAllFrozenBit) != 0 && has_unfrozen_tuple(page) ? vm::kAllFrozenBit : std::uint8_t{0};
}

struct Repair {
    Relation rel;
    BlockNo blocks;  // of the table when we began
    buffer::AccessRing *ring;
    std::uint64_t repaired;
};

// Which bits of the block are wrong; the buffer covers it.
std::uint8_t judge_block(const Repair &repair, BlockNo block, Buffer vmbuf) {
    // Only a guess, repeated under the latch: pages without bits are not read.
    const std::uint8_t guess = vm::get_bits(vmbuf, block);
    // Beyond the end: a page that is added now gets no bits while we have the lock.
    if (guess == 0 || block >= repair.blocks) return guess;
    const buffer::PinnedPage page = buffer::read_page(repair.rel, MAIN_FORKNUM, block, repair.ring);
    const buffer::ShareLatch latch(page);
    return wrong_bits(page, vm::get_bits(vmbuf, block));
}

// What one page of the map covers.  The wrong bits are kept until all are known, then cleared and logged in
// one step.  They stay wrong until then, whatever happens to the pages meanwhile: only VACUUM sets bits,
// which our lock keeps out, and COPY FREEZE, whose transaction has the table for itself.
void repair_map_page(Repair *repair, BlockNo first) {
    Buffer vmbuf = InvalidBuffer;
    // By pinning, not by asking for the status: a page that the map lacks here may exist on a standby.
    vm::pin(repair->rel, first, &vmbuf);
    auto *bytes = static_cast<char *>(::palloc0(page::kPageSize));
    vm::VmPage wrong(bytes);
    for (BlockNo i = 0; i < vm::kBlocksPerMapPage && first + i <= MaxBlockNumber; ++i) {
        CHECK_FOR_INTERRUPTS();
        wrong.set(first + i, judge_block(*repair, first + i, vmbuf));
    }
    GH_STOP_POINT("introspect.repair_map_before_correct");
    repair->repaired += vm::correct_page(repair->rel, vmbuf, wrong);
    ::pfree(bytes);
    ::ReleaseBuffer(vmbuf);
}

std::uint64_t map_pages(const Repair &repair) {
    const std::uint64_t needed =
        (std::uint64_t{repair.blocks} + vm::kBlocksPerMapPage - 1) / vm::kBlocksPerMapPage;
    if (!::smgrexists(::RelationGetSmgr(repair.rel), VISIBILITYMAP_FORKNUM)) return needed;
    return std::max<std::uint64_t>(needed,
                                   ::RelationGetNumberOfBlocksInFork(repair.rel, VISIBILITYMAP_FORKNUM));
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_repair_visibility_map);
PGDLLEXPORT Datum glassheap_repair_visibility_map(PG_FUNCTION_ARGS) {
    PreventCommandDuringRecovery("glassheap_repair_visibility_map()");
    Relation rel = open_table(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
    Repair repair = {.rel = rel,
                     .blocks = ::RelationGetNumberOfBlocks(rel),
                     .ring = buffer::make_ring(buffer::RingKind::bulk_read),
                     .repaired = 0};
    const std::uint64_t pages = map_pages(repair);
    for (std::uint64_t i = 0; i < pages; ++i)
        repair_map_page(&repair, static_cast<BlockNo>(i * vm::kBlocksPerMapPage));
    buffer::free_ring(repair.ring);
    close_table(rel, ShareUpdateExclusiveLock);
    PG_RETURN_INT64(static_cast<int64>(repair.repaired));
}

}  // extern "C"

}  // namespace glassheap::introspect
