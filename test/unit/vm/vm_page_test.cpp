// test/unit/vm/vm_page_test.cpp — two bits per heap block.
// SPDX-License-Identifier: PostgreSQL
#include "vm/vm_page.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace glassheap::vm {
namespace {

struct Bytes {
    alignas(8) std::array<char, page::kPageSize> data{};
    VmPage page() { return VmPage(data.data()); }
};

TEST(VmPage, StockFormat) {
    EXPECT_EQ(kBlocksPerMapPage, 32672U);
    EXPECT_EQ(map_block_of(32671), 0U);
    EXPECT_EQ(map_block_of(32672), 1U);
    Bytes bytes;
    bytes.page().set(0, 1);
    bytes.page().set(1, 2);
    bytes.page().set(3, 3);
    EXPECT_EQ(static_cast<unsigned char>(bytes.data[24]), 0xC9);
    bytes.page().set(32671, 3);
    EXPECT_EQ(static_cast<unsigned char>(bytes.data[8191]), 0xC0);
}

TEST(VmPage, HeaderIsNeverTouched) {
    Bytes bytes;
    for (BlockNo block = 0; block < kBlocksPerMapPage; block++) bytes.page().set(block, 3);
    for (int i = 0; i < 24; i++) EXPECT_EQ(bytes.data[i], 0);
}

TEST(VmPage, SetAndClearSayWhetherTheyChangedAnything) {
    Bytes bytes;
    VmPage page = bytes.page();
    EXPECT_TRUE(page.set(77, 1));
    EXPECT_FALSE(page.set(77, 1));
    EXPECT_TRUE(page.set(77, 3));
    EXPECT_TRUE(page.clear(77, 2));
    EXPECT_FALSE(page.clear(77, 2));
    EXPECT_EQ(page.get(77), 1);
    EXPECT_TRUE(page.clear(77, 3));
    EXPECT_EQ(page.get(77), 0);
}

TEST(VmPage, SettingReplacesBothBitsAndLeavesTheNeighbours) {
    Bytes bytes;
    VmPage page = bytes.page();
    for (BlockNo block = 76; block < 80; block++) page.set(block, 3);
    EXPECT_TRUE(page.set(77, 1));
    EXPECT_EQ(page.get(76), 3);
    EXPECT_EQ(page.get(77), 1);
    EXPECT_EQ(page.get(78), 3);
    EXPECT_EQ(page.get(79), 3);
}

// A third bit would be the next block's.
TEST(VmPageDeathTest, BitsOfOtherBlocksAreNoneOfThisOne) {
    if (kChecks < 1) GTEST_SKIP() << "without assertions";
    Bytes bytes;
    EXPECT_DEATH(bytes.page().set(4, 7), "check failed");
    EXPECT_DEATH(bytes.page().clear(4, 4), "check failed");
}

TEST(VmPage, ClearAllCountsBlocksNotBits) {
    Bytes bytes, wrong_bytes;
    VmPage page = bytes.page();
    VmPage wrong = wrong_bytes.page();
    for (BlockNo block = 0; block < kBlocksPerMapPage; block++) page.set(block, block % 4);
    wrong.set(0, 3);      // has none
    wrong.set(1, 3);      // has one of them
    wrong.set(3, 2);      // one of its two
    wrong.set(7, 3);      // both
    wrong.set(9, 2);      // the other one
    wrong.set(32671, 3);  // the last
    EXPECT_EQ(page.clear_all(wrong), 4U);
    for (BlockNo block = 0; block < kBlocksPerMapPage; block++) {
        const bool cleared = block == 1 || block == 7 || block == 32671;
        ASSERT_EQ(page.get(block), cleared ? 0 : block == 3 ? 1 : block % 4) << block;
    }
    for (int i = 0; i < 24; i++) EXPECT_EQ(bytes.data[i], 0);
    EXPECT_EQ(page.clear_all(wrong), 0U);
}

TEST(VmPage, RandomChangesAgainstAModel) {
    std::mt19937 random(1);
    Bytes bytes;
    VmPage page = bytes.page();
    std::vector<int> model(kBlocksPerMapPage);
    for (int step = 0; step < 200000; step++) {
        const BlockNo block = random() % kBlocksPerMapPage;
        const auto bits = static_cast<std::uint8_t>(1 + random() % 3);
        if (random() % 2 == 0) {
            page.set(block, bits);
            model[block] = bits;
        } else {
            page.clear(block, bits);
            model[block] &= ~bits;
        }
    }
    for (BlockNo block = 0; block < kBlocksPerMapPage; block++) ASSERT_EQ(page.get(block), model[block]);
}

TEST(VmPage, BlocksOfLaterMapPagesUseTheSamePlaces) {
    Bytes bytes;
    VmPage page = bytes.page();
    page.set(5 * kBlocksPerMapPage + 9, 3);
    EXPECT_EQ(page.get(9), 3);
}

}  // namespace
}  // namespace glassheap::vm
