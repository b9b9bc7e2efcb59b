// test/unit/fsm/fsm_address_test.cpp — the order of the map's pages in its file.
// SPDX-License-Identifier: PostgreSQL
#include "fsm/fsm_address.hpp"

#include <gtest/gtest.h>

namespace glassheap::fsm {
namespace {

TEST(FsmAddress, FirstPagesOfTheFork) {
    EXPECT_EQ(physical_block(kRootAddress), 0U);
    EXPECT_EQ(physical_block({1, 0}), 1U);
    EXPECT_EQ(physical_block({0, 0}), 2U);
    EXPECT_EQ(physical_block({0, 1}), 3U);
    EXPECT_EQ(physical_block({0, 4068}), 4070U);
    EXPECT_EQ(physical_block({1, 1}), 4071U);
    EXPECT_EQ(physical_block({0, 4069}), 4072U);
}

// The numbers come from a walk that knows nothing of the formula.
TEST(FsmAddress, DepthFirstWalkMeetsTheBlocksInOrder) {
    BlockNo expected = 0;
    ASSERT_EQ(physical_block(kRootAddress), expected++);
    for (std::uint32_t upper = 0; upper < 40; upper++) {
        ASSERT_EQ(physical_block({1, upper}), expected++);
        for (std::uint32_t leaf = 0; leaf < kSlotsPerPage; leaf++)
            ASSERT_EQ(physical_block({0, upper * kSlotsPerPage + leaf}), expected++);
    }
}

TEST(FsmAddress, HeapBlocksThereAndBack) {
    for (const BlockNo block : {0U, 1U, 4068U, 4069U, 4070U, 16556761U, 4294967294U}) {
        const FsmPlace place = place_of_heap_block(block);
        EXPECT_TRUE(place.page.is_leaf());
        EXPECT_EQ(heap_block_at(place.page, place.slot), block);
    }
}

TEST(FsmAddress, ParentsAndChildrenAgree) {
    for (const std::uint32_t number : {0U, 1U, 4068U, 4069U, 1055531U}) {
        const FsmAddress leaf = {0, number};
        const FsmPlace parent = parent_of(leaf);
        EXPECT_EQ(child_of(parent.page, parent.slot), leaf);
        const FsmPlace grandparent = parent_of(parent.page);
        EXPECT_EQ(grandparent.page, kRootAddress);
        EXPECT_EQ(child_of(grandparent.page, grandparent.slot), parent.page);
    }
}

}  // namespace
}  // namespace glassheap::fsm
