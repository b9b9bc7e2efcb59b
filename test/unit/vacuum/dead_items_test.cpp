// test/unit/vacuum/dead_items_test.cpp — the store of dead TIDs against a std::map.
// SPDX-License-Identifier: PostgreSQL
#include "vacuum/dead_items.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace glassheap::vacuum {
namespace {

using Slots = std::vector<SlotNo>;

struct Store {
    explicit Store(BlockNo blocks, std::size_t bytes = 0)
        : memory((bytes != 0 ? bytes : DeadItems::bytes_wanted(blocks)) / 8), dead(memory, blocks) {}
    std::vector<std::uint64_t> memory;
    DeadItems dead;
};

Slots slots_of(const DeadItems &dead, BlockNo block) {
    const page::SlotList slots = dead.slots_of(block);
    return {slots.begin(), slots.end()};
}

TEST(DeadItems, EmptyKnowsNothing) {
    Store store(100);
    EXPECT_EQ(store.dead.count(), 0);
    EXPECT_FALSE(store.dead.contains(0, 1));
    EXPECT_FALSE(store.dead.contains(99, 291));
    EXPECT_EQ(store.dead.next_block(0), kInvalidBlock);
    EXPECT_TRUE(store.dead.room_for_page());
}

TEST(DeadItems, BlocksBeyondTheTableAreNeverDead) {
    Store store(10);
    store.dead.add(9, Slots{1});
    EXPECT_FALSE(store.dead.contains(10, 1));
    EXPECT_FALSE(store.dead.contains(5000, 1));
    EXPECT_FALSE(store.dead.contains(kInvalidBlock, 1));
    EXPECT_EQ(store.dead.next_block(10), kInvalidBlock);
}

// One to three slots are kept in the reference, more in a bitmap: the border must not show.
TEST(DeadItems, EveryNumberOfSlotsOnAPage) {
    Store store(400);
    for (SlotNo n = 1; n <= page::kMaxTuplesPerPage; n++) {
        Slots slots;
        for (SlotNo slot = static_cast<SlotNo>(page::kMaxTuplesPerPage - n + 1);
             slot <= page::kMaxTuplesPerPage; slot++)
            slots.push_back(slot);
        store.dead.add(n, slots);
        EXPECT_EQ(slots_of(store.dead, n), slots);
        for (SlotNo slot = 1; slot <= page::kMaxTuplesPerPage; slot++)
            ASSERT_EQ(store.dead.contains(n, slot), slot > page::kMaxTuplesPerPage - n) << n << "," << slot;
    }
}

TEST(DeadItems, SlotsOutOfRangeAreNotDead) {
    Store store(3);
    store.dead.add(0, Slots{1, 2, 3});
    store.dead.add(1, Slots{1, 2, 3, 4});
    for (const BlockNo block : {0U, 1U}) {
        EXPECT_FALSE(store.dead.contains(block, 0));
        EXPECT_FALSE(store.dead.contains(block, 500));
        EXPECT_FALSE(store.dead.contains(block, 65535));
    }
}

TEST(DeadItems, RandomContentsAgainstAModel) {
    std::mt19937 random(3);
    constexpr BlockNo kBlocks = 5000;
    Store store(kBlocks);
    std::map<BlockNo, std::set<SlotNo>> model;
    std::int64_t count = 0;
    for (BlockNo block = 0; block < kBlocks; block += 1 + random() % 40) {
        std::set<SlotNo> slots;
        const int wanted = 1 + static_cast<int>(random() % (random() % 2 == 0 ? 4 : 291));
        while (static_cast<int>(slots.size()) < wanted)
            slots.insert(static_cast<SlotNo>(1 + random() % page::kMaxTuplesPerPage));
        store.dead.add(block, Slots(slots.begin(), slots.end()));
        count += wanted;
        model[block] = slots;
    }
    EXPECT_EQ(store.dead.count(), count);
    EXPECT_EQ(store.dead.blocks_with_items(), model.size());
    for (BlockNo block = 0; block < kBlocks; block++) {
        const auto found = model.find(block);
        for (SlotNo slot = 1; slot <= page::kMaxTuplesPerPage; slot++)
            ASSERT_EQ(store.dead.contains(block, slot),
                      found != model.end() && found->second.count(slot) > 0);
    }
    BlockNo walked = store.dead.next_block(0);
    for (const auto &[block, slots] : model) {
        ASSERT_EQ(walked, block);
        EXPECT_EQ(slots_of(store.dead, block), Slots(slots.begin(), slots.end()));
        walked = store.dead.next_block(block + 1);
    }
    EXPECT_EQ(walked, kInvalidBlock);
}

TEST(DeadItems, ResetForgetsAndReusesTheMemory) {
    Store store(2000);
    store.dead.add(0, Slots{1, 2, 3, 4, 5});
    store.dead.add(1500, Slots{7});
    const std::size_t used = store.dead.bytes_used();
    store.dead.reset();
    EXPECT_EQ(store.dead.count(), 0);
    EXPECT_EQ(store.dead.next_block(0), kInvalidBlock);
    EXPECT_FALSE(store.dead.contains(1500, 7));
    store.dead.add(0, Slots{9, 10, 11, 12, 13});
    store.dead.add(1500, Slots{8});
    EXPECT_FALSE(store.dead.contains(0, 1)) << "bits of the last round";
    EXPECT_TRUE(store.dead.contains(0, 9));
    EXPECT_EQ(store.dead.bytes_used(), used);
}

// A parallel worker asks a copy of the words in use, at another address.
TEST(DeadItems, ACopyOfTheContentsAnswersTheSame) {
    Store store(3000);
    store.dead.add(5, Slots{1, 100});
    store.dead.add(2999, Slots{2, 3, 5, 8, 13, 21});
    const auto contents = store.dead.contents();
    std::vector<std::uint64_t> words(contents.begin(), contents.end());
    store.dead.reset();
    const DeadItems copy = DeadItems::view_of_copy(words, 3000);
    EXPECT_TRUE(copy.contains(5, 100));
    EXPECT_FALSE(copy.contains(5, 99));
    EXPECT_TRUE(copy.contains(2999, 21));
    EXPECT_FALSE(copy.contains(2999, 1));
    EXPECT_FALSE(copy.contains(1, 1));
    EXPECT_FALSE(copy.contains(3000, 1));
}

// With the memory that was wanted, a table in which everything is dead fits, and room is left to say so.
TEST(DeadItems, WantedMemoryHoldsEverything) {
    constexpr BlockNo kBlocks = 3000;
    Store store(kBlocks);
    Slots all;
    for (SlotNo slot = 1; slot <= page::kMaxTuplesPerPage; slot++) all.push_back(slot);
    for (BlockNo block = 0; block < kBlocks; block++) {
        ASSERT_TRUE(store.dead.room_for_page()) << block;
        store.dead.add(block, all);
    }
    EXPECT_TRUE(store.dead.room_for_page());
    EXPECT_EQ(store.dead.count(), std::int64_t{kBlocks} * page::kMaxTuplesPerPage);
    EXPECT_EQ(store.dead.count(), store.dead.capacity());
}

// With the least memory, pages are taken one by one with a reset in between, and never overrun it.
TEST(DeadItems, LeastMemoryTakesOnePageAtATime) {
    constexpr BlockNo kBlocks = 100000;
    Store store(kBlocks, DeadItems::bytes_required(kBlocks));
    Slots all;
    for (SlotNo slot = 1; slot <= page::kMaxTuplesPerPage; slot++) all.push_back(slot);
    for (BlockNo block = 0; block < kBlocks; block += 9999) {
        if (!store.dead.room_for_page()) store.dead.reset();
        ASSERT_TRUE(store.dead.room_for_page());
        store.dead.add(block, all);
        EXPECT_LE(store.dead.bytes_used(), DeadItems::bytes_required(kBlocks));
        EXPECT_TRUE(store.dead.contains(block, 291));
    }
}

TEST(DeadItems, ATableWithoutPages) {
    Store store(0);
    EXPECT_TRUE(store.dead.room_for_page());
    EXPECT_FALSE(store.dead.contains(0, 1));
    EXPECT_EQ(store.dead.next_block(0), kInvalidBlock);
    EXPECT_EQ(store.dead.capacity(), 0);
}

TEST(DeadItems, LargestTable) {
    const std::size_t wanted = DeadItems::bytes_wanted(kInvalidBlock);
    EXPECT_LE(wanted, std::size_t{1} << 32) << "references have 29 bits of words";
    EXPECT_LT(DeadItems::bytes_required(kInvalidBlock), std::size_t{32} << 20);
}

}  // namespace
}  // namespace glassheap::vacuum
