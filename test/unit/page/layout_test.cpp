// test/unit/page/layout_test.cpp — limits of the page layout.
// SPDX-License-Identifier: PostgreSQL
#include <gtest/gtest.h>

#include "page/layout.hpp"

namespace glassheap::page {
namespace {

TEST(Layout, PossibleSlotsAreThoseWhoseLinePointerLiesWithinThePage) {
    for (unsigned slot = 0; slot <= 0xFFFF; ++slot) {
        const long begin = static_cast<long>(kHeaderSize) + (static_cast<long>(slot) - 1) * 4;
        const bool within =
            begin >= static_cast<long>(kHeaderSize) && begin + 4 <= static_cast<long>(kPageSize);
        ASSERT_EQ(is_possible_slot(static_cast<SlotNo>(slot)), within) << slot;
    }
    EXPECT_GE(kMostLinePointers, kMaxTuplesPerPage);
}

}  // namespace
}  // namespace glassheap::page
