// verify/verify_maps.cpp — the visibility map and the free space map against the pages.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"
#include "introspect/fsm_tree.hpp"
#include "pg/pg_fsm_internals.hpp"
#include "verify/verify.hpp"

namespace glassheap::verify {

namespace {

const char *map_word(bool all_frozen) {
    return all_frozen ? "all-frozen" : "all-visible";
}

void verify_visible_tuple(Verifier *v, bool all_frozen) {
    const ItemState &item = v->items[v->slot];
    const page::TupleHead &head = v->view().tuple(v->slot);
    if (!item.header_ok) return;  // said elsewhere
    if (item.xmin_known && item.xmin_fate != XidFate::committed)
        report_damage(v, "page is marked %s, but xmin %u of this tuple is not committed",
                      map_word(all_frozen), head.xmin);
    if (item.updater != kInvalidXid)
        report_damage(v, "page is marked %s, but this tuple was deleted or updated by xmax %u",
                      map_word(all_frozen), item.updater);
    auto *header = reinterpret_cast<HeapTupleHeader>(const_cast<page::TupleHead *>(&head));
    if (all_frozen && ::heap_tuple_needs_eventual_freeze(header))
        report_damage(v, "page is marked all-frozen, but this tuple is not frozen");
}

// ---- free space map

// Within a page every inner node is the greater of its two children.
void verify_fsm_heap_order(Verifier *v, const char *page, FsmAddress address, BlockNo fsm_block) {
    const std::uint8_t *nodes = pg::fsm_nodes(page);
    for (std::uint32_t node = 0; node < kFsmInnerNodes; ++node) {
        const std::uint32_t left = 2 * node + 1;
        std::uint8_t greater = left < kFsmNodes ? nodes[left] : std::uint8_t{0};
        if (left + 1 < kFsmNodes) greater = std::max(greater, nodes[left + 1]);
        if (nodes[node] >= greater) continue;
        std::uint32_t leaf = left;
        while (leaf < kFsmInnerNodes) leaf = 2 * leaf + 1;
        v->block = static_cast<BlockNo>(fsm_covers_from(address, leaf - kFsmInnerNodes));
        report_damage(v, "free space map block %u: node %u is %u, but one of its children is %u", fsm_block,
                      node, unsigned{nodes[node]}, unsigned{greater});
        return;  // one finding a page is enough: the rest follows from it
    }
}

}  // namespace

void verify_all_visible(Verifier *v, bool all_frozen) {
    const SlotNo last = v->view().max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        v->slot = slot;
        const page::LinePointer line = v->view().line(slot);
        if (line.is_dead())
            report_damage(v, "page is marked %s, but has a dead line pointer", map_word(all_frozen));
        else if (v->items[slot].valid)
            verify_visible_tuple(v, all_frozen);
    }
    v->slot = kInvalidSlot;
}

void verify_free_space(Verifier *v) {
    if (!::smgrexists(::RelationGetSmgr(v->rel), FSM_FORKNUM)) return;
    const BlockNo fsm_blocks = ::RelationGetNumberOfBlocksInFork(v->rel, FSM_FORKNUM);
    auto *copy = static_cast<char *>(::palloc(BLCKSZ));
    for (BlockNo block = 0; block < fsm_blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        {
            const buffer::PinnedPage page =
                buffer::read_page(v->rel, FSM_FORKNUM, block, nullptr, buffer::ReadMode::zero_on_error);
            const buffer::ShareLatch latch(page);
            std::memcpy(copy, page.data(), BLCKSZ);
        }
        if (page::PageView(copy).is_new()) continue;
        verify_fsm_heap_order(v, copy, fsm_address_of(block), block);
    }
    ::pfree(copy);
}

}  // namespace glassheap::verify
