// test/unit/fsm/fsm_page_test.cpp — the tree inside one map page, against plain arrays.
// SPDX-License-Identifier: PostgreSQL
#include "fsm/fsm_page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

namespace glassheap::fsm {
namespace {

struct Bytes {
    alignas(8) std::array<char, page::kPageSize> data{};
    FsmPage page() { return FsmPage(data.data()); }
};

void expect_consistent(const FsmPage &page) {
    for (int n = 0; n < kInnerNodes; n++) {
        int largest = 0;
        for (int child = 2 * n + 1; child <= 2 * n + 2; child++)
            if (child < kNodesPerPage) largest = std::max<int>(largest, page.node(child));
        ASSERT_EQ(page.node(n), largest) << "node " << n;
    }
}

TEST(FsmCategory, RoundsDownWhatIsFreeAndUpWhatIsNeeded) {
    EXPECT_EQ(category_of_free(0), 0);
    EXPECT_EQ(category_of_free(31), 0);
    EXPECT_EQ(category_of_free(32), 1);
    EXPECT_EQ(category_of_free(8127), 253);
    EXPECT_EQ(category_of_free(8159), 254);
    EXPECT_EQ(category_of_free(8160), 255);  // MaxHeapTupleSize of an 8 kB page
    EXPECT_EQ(category_of_free(8168), 255);
    EXPECT_EQ(category_for_request(0), 1);
    EXPECT_EQ(category_for_request(1), 1);
    EXPECT_EQ(category_for_request(32), 1);
    EXPECT_EQ(category_for_request(33), 2);
    EXPECT_EQ(category_for_request(8160), 255);
    EXPECT_EQ(free_of_category(0), 0U);
    EXPECT_EQ(free_of_category(254), 8128U);
    EXPECT_EQ(free_of_category(255), 8160U);
}

TEST(FsmCategory, APageGivenOutAlwaysHasTheRoomThatWasAskedFor) {
    for (std::size_t needed = 0; needed <= kMaxRequest; needed++)
        for (std::size_t free : {needed, needed > 0 ? needed - 1 : 0})
            if (category_of_free(free) >= category_for_request(needed)) {
                EXPECT_GE(free, needed);
            }
}

TEST(FsmPage, SetIsSeenAtTheRoot) {
    Bytes bytes;
    FsmPage page = bytes.page();
    EXPECT_TRUE(page.set(0, 7));
    EXPECT_TRUE(page.set(kLeafNodes - 1, 9));
    EXPECT_EQ(page.largest(), 9);
    EXPECT_FALSE(page.set(0, 7)) << "nothing changed";
    EXPECT_TRUE(page.set(kLeafNodes - 1, 0));
    EXPECT_EQ(page.largest(), 7);
    expect_consistent(page);
}

TEST(FsmPage, LeafLiesWhereTheStockFormatHasIt) {
    Bytes bytes;
    bytes.page().set(0, 11);
    bytes.page().set(4068, 12);
    EXPECT_EQ(bytes.data[24 + 4 + 4095], 11);
    EXPECT_EQ(bytes.data[8191], 12);
    EXPECT_EQ(kLeafNodes, 4069);
}

TEST(FsmPage, RandomSetsKeepTheTreeAndTheLeaves) {
    std::mt19937 random(42);
    Bytes bytes;
    FsmPage page = bytes.page();
    std::array<int, kLeafNodes> model{};
    for (int step = 0; step < 20000; step++) {
        const int slot = static_cast<int>(random() % kLeafNodes);
        const int value = random() % 3 == 0 ? 0 : static_cast<int>(random() % 256);
        const bool changed = page.set(slot, static_cast<std::uint8_t>(value));
        EXPECT_EQ(changed, model[slot] != value);
        model[slot] = value;
        if (step % 4000 == 0) expect_consistent(page);
    }
    expect_consistent(page);
    for (int slot = 0; slot < kLeafNodes; slot++) ASSERT_EQ(page.get(slot), model[slot]);
    EXPECT_EQ(page.largest(), *std::max_element(model.begin(), model.end()));
}

TEST(FsmPage, SearchFindsSomethingExactlyWhenThereIsSomething) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; round++) {
        Bytes bytes;
        FsmPage page = bytes.page();
        for (int i = 0; i < 5; i++)
            page.set(static_cast<int>(random() % kLeafNodes), static_cast<std::uint8_t>(random() % 256));
        for (int least = 1; least < 256; least += 5) {
            int slot = -1;
            const SearchResult result = page.search(static_cast<std::uint8_t>(least), true, &slot);
            if (page.largest() < least) {
                EXPECT_EQ(result, SearchResult::nothing);
            } else {
                ASSERT_EQ(result, SearchResult::found);
                EXPECT_GE(page.get(slot), least);
                EXPECT_EQ(page.next_slot(), slot + 1);
            }
        }
    }
}

TEST(FsmPage, SearchersAreSpreadRoundRobin) {
    Bytes bytes;
    FsmPage page = bytes.page();
    page.set_range(100, 110, 50);
    for (int turn = 0; turn < 3; turn++)
        for (int expected = 100; expected < 110; expected++) {
            int slot = -1;
            ASSERT_EQ(page.search(50, true, &slot), SearchResult::found);
            EXPECT_EQ(slot, expected);
        }
}

TEST(FsmPage, WithoutAdvanceTheSameSlotIsFoundAgain) {
    Bytes bytes;
    FsmPage page = bytes.page();
    page.set_range(100, 110, 50);
    for (int turn = 0; turn < 3; turn++) {
        int slot = -1;
        ASSERT_EQ(page.search(50, false, &slot), SearchResult::found);
        EXPECT_EQ(slot, 100);
    }
}

TEST(FsmPage, NextSlotMayHoldAnything) {
    Bytes bytes;
    FsmPage page = bytes.page();
    page.set(5, 50);
    for (const std::int32_t junk : {-1, INT32_MIN, INT32_MAX, kLeafNodes}) {
        std::memcpy(bytes.data.data() + 24, &junk, sizeof junk);
        int slot = -1;
        ASSERT_EQ(page.search(50, true, &slot), SearchResult::found);
        EXPECT_EQ(slot, 5);
    }
}

TEST(FsmPage, TornPageIsNoticedAndRebuilt) {
    Bytes bytes;
    FsmPage page = bytes.page();
    page.set(1000, 99);
    bytes.data[24 + 4 + 4095 + 1000] = 0;  // the leaf was lost, its ancestors promise it still
    int slot = -1;
    EXPECT_EQ(page.search(90, true, &slot), SearchResult::torn);
    EXPECT_TRUE(page.rebuild());
    expect_consistent(page);
    EXPECT_EQ(page.search(90, true, &slot), SearchResult::nothing);
}

TEST(FsmPage, AValueAboveABrokenRootRepairsIt) {
    Bytes bytes;
    FsmPage page = bytes.page();
    page.set(1000, 99);
    bytes.data[24 + 4] = 3;  // the root forgot
    EXPECT_TRUE(page.set(1000, 99)) << "same value, but the root contradicts it";
    EXPECT_EQ(page.largest(), 99);
    expect_consistent(page);
}

TEST(FsmPage, RangesAndTails) {
    Bytes bytes;
    FsmPage page = bytes.page();
    EXPECT_TRUE(page.set_range(10, kLeafNodes, 200));
    EXPECT_FALSE(page.set_range(10, kLeafNodes, 200));
    EXPECT_FALSE(page.set_range(10, 10, 5)) << "an empty range";
    EXPECT_EQ(page.get(9), 0);
    EXPECT_EQ(page.get(10), 200);
    EXPECT_TRUE(page.clear_from(20));
    EXPECT_EQ(page.get(19), 200);
    EXPECT_EQ(page.get(20), 0);
    EXPECT_EQ(page.get(kLeafNodes - 1), 0);
    expect_consistent(page);
    EXPECT_TRUE(page.clear_from(0));
    EXPECT_EQ(page.largest(), 0);
}

// Short ranges are set slot by slot, long ones by a rebuild.
TEST(FsmPage, RangesOfAnyLength) {
    for (const int length : {1, 15, 64, 65, 300}) {
        Bytes bytes;
        FsmPage page = bytes.page();
        page.set(690, 7);
        for (const std::uint8_t category : {255, 3, 0}) {
            EXPECT_TRUE(page.set_range(700, 700 + length, category)) << length;
            EXPECT_FALSE(page.set_range(700, 700 + length, category)) << length;
            EXPECT_EQ(page.get(699), 0);
            EXPECT_EQ(page.get(700), category);
            EXPECT_EQ(page.get(700 + length - 1), category);
            EXPECT_EQ(page.get(700 + length), 0);
            EXPECT_EQ(page.largest(), std::max<int>(category, 7));
            expect_consistent(page);
        }
    }
}

}  // namespace
}  // namespace glassheap::fsm
