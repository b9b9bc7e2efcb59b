// test/unit/wal/pack_test.cpp — varints, slot sets, redirects, freeze groups, common ends.
// SPDX-License-Identifier: PostgreSQL
#include "wal/pack.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace glassheap::wal::test {
namespace {

struct Bytes {
    char data[16384];
    ByteWriter out{data, sizeof data};
    ByteReader in() const { return {data, out.size()}; }
};

TEST(Pack, VarintsComeBackAndGrowBySevenBits) {
    for (const std::uint32_t v : {0U, 1U, 127U, 128U, 16383U, 16384U, 2097151U, 2097152U, 0xFFFFFFFFU}) {
        Bytes b;
        b.out.varint(v);
        std::size_t expected = 1;
        for (std::uint32_t rest = v >> 7; rest != 0; rest >>= 7) ++expected;
        EXPECT_EQ(b.out.size(), expected) << v;
        ByteReader in = b.in();
        EXPECT_EQ(in.varint(), v);
        EXPECT_TRUE(in.ok());
        EXPECT_EQ(in.left(), 0U);
    }
}

TEST(Pack, ReadingBeyondTheEndIsNoticedOnceAndForAll) {
    const char bytes[3] = {1, 0, 7};
    ByteReader in(bytes, 3);
    EXPECT_EQ(in.u16(), 1);
    EXPECT_EQ(in.u32(), 0U);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.u8(), 0);  // nothing is read after a failure
    EXPECT_FALSE(in.ok());
}

TEST(Pack, AnEndlessVarintFails) {
    const char bytes[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    ByteReader in(bytes, 8);
    in.varint();
    EXPECT_FALSE(in.ok());
}

TEST(Pack, RandomSlotSetsComeBackSorted) {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        const unsigned density = 1 + random() % 100;
        std::vector<SlotNo> slots;
        for (SlotNo s = 1; s <= page::kMaxTuplesPerPage; ++s)
            if (random() % 100 < density) slots.push_back(s);
        std::vector<SlotNo> shuffled = slots;
        std::shuffle(shuffled.begin(), shuffled.end(), random);
        Bytes b;
        write_slots(b.out, shuffled);
        ByteReader in = b.in();
        SlotNo back[page::kMaxTuplesPerPage];
        ASSERT_TRUE(read_slots(in, back, static_cast<int>(slots.size())));
        EXPECT_TRUE(std::equal(slots.begin(), slots.end(), back));
        EXPECT_EQ(in.left(), 0U);
        // Never worse than plain two-byte numbers.
        EXPECT_LE(b.out.size(), slots.size() * 2);
    }
}

TEST(Pack, AFullPageOfSlotsIsOneRun) {
    std::vector<SlotNo> slots;
    for (SlotNo s = 1; s <= page::kMaxTuplesPerPage; ++s) slots.push_back(s);
    Bytes b;
    write_slots(b.out, slots);
    EXPECT_LE(b.out.size(), 4U);
}

// Wherever it begins and ends: a set is searched by words of 64 slots.
TEST(Pack, EveryRunIsCodedAsOne) {
    for (std::uint32_t first = 1; first <= page::kMaxTuplesPerPage; ++first) {
        std::vector<SlotNo> slots;
        for (std::uint32_t last = first; last <= page::kMaxTuplesPerPage; ++last) {
            slots.push_back(static_cast<SlotNo>(last));
            Bytes expected;
            expected.out.varint(2 * first + (last > first ? 1 : 0));
            if (last > first) expected.out.varint(last - first - 1);
            Bytes b;
            write_slots(b.out, slots);
            ASSERT_EQ(std::string(b.data, b.out.size()), std::string(expected.data, expected.out.size()));
        }
    }
}

TEST(Pack, DamagedSlotSetsAreRefused) {
    SlotNo back[SlotSet::kLimit];
    const auto refused = [&](std::initializer_list<std::uint32_t> varints, int count) {
        Bytes b;
        for (const std::uint32_t v : varints) b.out.varint(v);
        ByteReader in = b.in();
        const bool ok = read_slots(in, back, count);
        EXPECT_EQ(ok, in.ok());
        return !ok;
    };
    EXPECT_FALSE(refused({1 * 2 + 1, 6}, 8));  // eight slots from 1
    EXPECT_TRUE(refused({1 * 2 + 1, 7}, 8));   // nine
    EXPECT_TRUE(refused({1 * 2 + 1, 5}, 8));   // seven, and then nothing
    EXPECT_TRUE(refused({400 * 2}, 1));        // beyond any page
    EXPECT_TRUE(refused({300 * 2 + 1, 40}, 42));
    EXPECT_TRUE(refused({}, 1));
    EXPECT_FALSE(refused({}, 0));
}

TEST(Pack, RedirectsComeBackInOrder) {
    const std::vector<page::Redirect> redirects = {{3, 200}, {1, 2}, {291, 290}};
    Bytes b;
    write_redirects(b.out, redirects);
    page::Redirect back[3];
    ByteReader in = b.in();
    ASSERT_TRUE(read_redirects(in, back, 3));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(back[i].from, redirects[i].from);
        EXPECT_EQ(back[i].to, redirects[i].to);
    }
    ByteReader again = b.in();
    page::Redirect more[4];
    EXPECT_FALSE(read_redirects(again, more, 4));
}

TEST(Pack, FreezePlansAreGroupedAndNothingIsLost) {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        const unsigned kinds = 1 + random() % 6;
        std::vector<page::FreezePlan> plans;
        for (SlotNo s = 1; s <= page::kMaxTuplesPerPage; ++s) {
            if (random() % 3 == 0) continue;
            const unsigned kind = random() % kinds;
            plans.push_back({kind * 1000, static_cast<std::uint16_t>(kind),
                             static_cast<std::uint16_t>(0x900 + kind), s, static_cast<std::uint8_t>(kind % 3),
                             0});
        }
        Bytes b;
        write_freeze(b.out, plans);
        EXPECT_LE(b.out.size(), kinds * 12 + plans.size() * 2);
        ByteReader in = b.in();
        page::FreezePlan back[page::kMaxTuplesPerPage];
        const int n = static_cast<int>(plans.size());
        ASSERT_TRUE(read_freeze(in, back, n));
        EXPECT_EQ(in.left(), 0U);
        ByteReader cut(b.data, b.out.size() - 1);
        page::FreezePlan ignored[page::kMaxTuplesPerPage];
        EXPECT_FALSE(read_freeze(cut, ignored, n));
        std::sort(back, back + n, [](const auto &a, const auto &b2) { return a.slot < b2.slot; });
        for (int i = 0; i < n; ++i) {
            EXPECT_EQ(back[i].slot, plans[static_cast<std::size_t>(i)].slot);
            EXPECT_EQ(back[i].xmax, plans[static_cast<std::size_t>(i)].xmax);
            EXPECT_EQ(back[i].infomask, plans[static_cast<std::size_t>(i)].infomask);
            EXPECT_EQ(back[i].infomask2, plans[static_cast<std::size_t>(i)].infomask2);
            EXPECT_EQ(back[i].flags, plans[static_cast<std::size_t>(i)].flags);
        }
    }
}

TEST(Pack, ADensePageOfEqualPlansIsTiny) {
    std::vector<page::FreezePlan> plans;
    for (SlotNo s = 1; s <= 226; ++s) plans.push_back({0, 2, 0x0B00, s, 0, 0});
    Bytes b;
    write_freeze(b.out, plans);
    EXPECT_LE(b.out.size(), 12U);
}

TEST(Pack, CommonEndsOfRandomRows) {
    std::mt19937 random(3);
    for (int round = 0; round < 3000; ++round) {
        std::string a(random() % 60, 'x');
        for (char &c : a) c = static_cast<char>('a' + random() % 2);
        std::string b = a;
        if (!b.empty() && random() % 4 != 0) b[random() % b.size()] = 'z';
        if (random() % 4 == 0) b.insert(random() % (b.size() + 1), "qq");
        const CommonEnds ends = common_ends(a, b);
        ASSERT_LE(ends.prefix + ends.suffix, std::min(a.size(), b.size()));
        EXPECT_EQ(a.substr(0, ends.prefix), b.substr(0, ends.prefix));
        EXPECT_EQ(a.substr(a.size() - ends.suffix), b.substr(b.size() - ends.suffix));
        // And they are as long as they can be.
        const std::size_t limit = std::min(a.size(), b.size());
        if (ends.prefix < limit) {
            EXPECT_NE(a[ends.prefix], b[ends.prefix]);
        }
        if (ends.prefix + ends.suffix < limit) {
            EXPECT_NE(a[a.size() - ends.suffix - 1], b[b.size() - ends.suffix - 1]);
        }
    }
}

}  // namespace
}  // namespace glassheap::wal::test
