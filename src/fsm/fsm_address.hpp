// fsm/fsm_address.hpp — where in the map's fork the byte of a heap block lives.
//
// Why:    the map is a tree of pages, three levels high, stored depth first: a page is followed by all
//         pages below its first child before its second child comes.  So the fork can grow at its end as
//         the table grows, and a walk of the tree reads the file forwards.
//
//             level 2                     page 0 (root)
//             level 1          page 1                    page 4071 ...
//             level 0     2  3  4 ... 4070            4072 4073 ...
//
// Errors: never longjmps.
// See:    PG: storage/freespace/README.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/types.hpp"

namespace glassheap::fsm {

inline constexpr int kSlotsPerPage = 4069;  // children of an upper page, heap blocks of a leaf page
inline constexpr int kLeafLevel = 0;
inline constexpr int kRootLevel = 2;
inline constexpr int kLevels = kRootLevel + 1;

struct FsmAddress {
    int level;
    std::uint32_t number;  // of the page among the pages of its level

    bool is_leaf() const noexcept { return level == kLeafLevel; }
    bool is_root() const noexcept { return level == kRootLevel; }
    friend constexpr bool operator==(const FsmAddress &, const FsmAddress &) = default;
};
inline constexpr FsmAddress kRootAddress = {kRootLevel, 0};

struct FsmPlace {  // one byte of the map that somebody outside cares about
    FsmAddress page;
    int slot;
};

FsmPlace place_of_heap_block(BlockNo heap_block) noexcept;
FsmPlace parent_of(FsmAddress child) noexcept;  // child is not the root
FsmAddress child_of(FsmAddress parent, int slot) noexcept;
BlockNo heap_block_at(FsmAddress leaf, int slot) noexcept;
BlockNo physical_block(FsmAddress address) noexcept;  // block number in the fork

}  // namespace glassheap::fsm
