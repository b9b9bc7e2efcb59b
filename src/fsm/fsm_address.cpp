// fsm/fsm_address.cpp — see the header.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "fsm/fsm_address.hpp"

namespace glassheap::fsm {
namespace {

// Every heap block must be reachable from the one root.
static_assert(static_cast<std::uint64_t>(kSlotsPerPage) * kSlotsPerPage * kSlotsPerPage >= kInvalidBlock);

}  // namespace

FsmPlace place_of_heap_block(BlockNo heap_block) noexcept {
    return {{kLeafLevel, heap_block / kSlotsPerPage}, static_cast<int>(heap_block % kSlotsPerPage)};
}

FsmPlace parent_of(FsmAddress child) noexcept {
    return {{child.level + 1, child.number / kSlotsPerPage}, static_cast<int>(child.number % kSlotsPerPage)};
}

FsmAddress child_of(FsmAddress parent, int slot) noexcept {
    return {parent.level - 1, parent.number * kSlotsPerPage + static_cast<std::uint32_t>(slot)};
}

BlockNo heap_block_at(FsmAddress leaf, int slot) noexcept {
    return leaf.number * kSlotsPerPage + static_cast<BlockNo>(slot);
}

BlockNo physical_block(FsmAddress address) noexcept {
    // Depth first: in front of a page stand its ancestors, and at each level all pages whose first leaf
    // comes before this page's first leaf.
    std::uint32_t first_leaf = address.number;
    for (int level = 0; level < address.level; level++) first_leaf *= kSlotsPerPage;

    BlockNo pages_upto_first_leaf = 0;
    std::uint32_t at_level = first_leaf;
    for (int level = kLeafLevel; level <= kRootLevel; level++) {
        pages_upto_first_leaf += at_level + 1;
        at_level /= kSlotsPerPage;
    }
    // The sum counts the first leaf and the levels between it and `address` as well.
    return pages_upto_first_leaf - static_cast<BlockNo>(address.level) - 1;
}

}  // namespace glassheap::fsm
