// introspect/fsm_tree.hpp — where in the free space map's fork which page of its tree is.
//
// Why:    people want to see the tree; the arithmetic is that of the stock fork format
//         (storage/freespace/README).
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/types.hpp"

namespace glassheap::introspect {

// A page of the map: `level` 0 is the bottom, `page` counts from the left within its level.
struct FsmAddress {
    int level;
    std::uint32_t page;
};

inline constexpr std::uint32_t kFsmNodes = 8192 - 24 - 4;               // nodes on a page
inline constexpr std::uint32_t kFsmInnerNodes = 8192 / 2 - 1;           // of them inner ones
inline constexpr std::uint32_t kFsmSlots = kFsmNodes - kFsmInnerNodes;  // leaves: 4069
inline constexpr int kFsmRootLevel = 2;

// Which page of the tree the fork's block `block` is (pages are stored depth first, parents before children).
constexpr FsmAddress fsm_address_of(BlockNo block) noexcept {
    constexpr std::uint32_t kMiddle = 1 + kFsmSlots;  // a middle page with its bottom pages
    if (block == 0) return {kFsmRootLevel, 0};
    const std::uint32_t below_root = block - 1;
    const std::uint32_t middle = below_root / kMiddle;
    const std::uint32_t rest = below_root % kMiddle;
    if (rest == 0) return {1, middle};
    return {0, middle * kFsmSlots + rest - 1};
}
constexpr BlockNo fsm_block_of(FsmAddress address) noexcept {
    if (address.level == kFsmRootLevel) return 0;
    if (address.level == 1) return 1 + address.page * (1 + kFsmSlots);
    return 1 + (address.page / kFsmSlots) * (1 + kFsmSlots) + 1 + address.page % kFsmSlots;
}
// First table block that a slot of a page stands for.
constexpr std::uint64_t fsm_covers_from(FsmAddress address, std::uint32_t slot) noexcept {
    std::uint64_t first = static_cast<std::uint64_t>(address.page) * kFsmSlots + slot;
    for (int level = 0; level < address.level; ++level) first *= kFsmSlots;
    return first;
}
constexpr std::uint64_t fsm_covers_count(int level) noexcept {
    std::uint64_t count = 1;
    for (int i = 0; i < level; ++i) count *= kFsmSlots;
    return count;
}

static_assert(fsm_block_of(fsm_address_of(1)) == 1);
static_assert(fsm_block_of(fsm_address_of(2)) == 2);
static_assert(fsm_block_of(fsm_address_of(4071)) == 4071 && fsm_address_of(4071).level == 1);
static_assert(fsm_block_of(fsm_address_of(9000)) == 9000);

}  // namespace glassheap::introspect
