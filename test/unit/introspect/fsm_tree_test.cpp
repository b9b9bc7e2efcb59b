// test/unit/introspect/fsm_tree_test.cpp — from a block of the free space map's fork to its place in the
//         tree, and back.
// SPDX-License-Identifier: PostgreSQL
#include "introspect/fsm_tree.hpp"

#include <gtest/gtest.h>

#include "fsm/fsm_address.hpp"

namespace glassheap::introspect {
namespace {

TEST(FsmTree, EveryBlockHasOnePlaceAndComesBack) {
    for (BlockNo block = 0; block < 20000; ++block) EXPECT_EQ(fsm_block_of(fsm_address_of(block)), block);
}

// The map's own arithmetic goes the other way and is written independently.
TEST(FsmTree, AgreesWithTheMap) {
    for (std::uint32_t page : {0U, 1U, 4068U, 4069U, 100000U}) {
        EXPECT_EQ(fsm_block_of({0, page}), fsm::physical_block({0, page}));
        EXPECT_EQ(fsm_address_of(fsm::physical_block({0, page})).page, page);
        EXPECT_EQ(fsm_address_of(fsm::physical_block({0, page})).level, 0);
    }
    for (std::uint32_t page : {0U, 1U, 4068U}) {
        EXPECT_EQ(fsm_address_of(fsm::physical_block({1, page})).page, page);
        EXPECT_EQ(fsm_address_of(fsm::physical_block({1, page})).level, 1);
    }
}

TEST(FsmTree, SlotsCoverTheTableWithoutGaps) {
    for (int level = 0; level <= kFsmRootLevel; ++level) {
        const std::uint64_t step = fsm_covers_count(level);
        EXPECT_EQ(fsm_covers_from({level, 0}, 0), 0U);
        EXPECT_EQ(fsm_covers_from({level, 0}, 1), step);
        EXPECT_EQ(fsm_covers_from({level, 1}, 0), step * kFsmSlots);
        EXPECT_EQ(fsm_covers_from({level, 2}, 7), step * (2 * kFsmSlots + 7));
    }
}

}  // namespace
}  // namespace glassheap::introspect
