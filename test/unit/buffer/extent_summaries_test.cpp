// test/unit/buffer/extent_summaries_test.cpp — pool.K5 and pool.K6.
// SPDX-License-Identifier: PostgreSQL
#include "buffer/extent_summaries.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

namespace glassheap::buffer {
namespace {

constexpr Lsn kLsn = 0x1'0000'1000;

PageTag tag_of(std::uint32_t relation, BlockNo block) {
    return {1663, 5, relation, 0, block};
}

struct Table {
    SummarySet set{};
    PageTag replaced{};

    Kept keep(const PageTag &tag, Lsn lsn, Xid newest, int way = 0) {
        return set.keep(tag, lsn, newest, way, &replaced);
    }
};

TEST(ExtentSummaries, are_found_for_their_lsn_only) {
    Table t;
    EXPECT_EQ(t.set.find(tag_of(7, 3), kLsn), kInvalidXid);
    EXPECT_EQ(t.keep(tag_of(7, 3), kLsn, 100), Kept::anew);
    EXPECT_EQ(t.keep(tag_of(7, 4), kLsn + 80, 90), Kept::beside);
    EXPECT_EQ(t.set.find(tag_of(7, 3), kLsn), 100U);
    EXPECT_EQ(t.set.find(tag_of(7, 4), kLsn + 80), 90U);
    for (const Lsn other :
         {kLsn + 8, kLsn - 8, kLsn + 1, kLsn + (Lsn{1} << 35), kLsn + (Lsn{1} << 32), Lsn{0}})
        EXPECT_EQ(t.set.find(tag_of(7, 3), other), kInvalidXid) << other;
    EXPECT_EQ(t.set.find(tag_of(7, 5), kLsn), kInvalidXid);
    EXPECT_EQ(t.set.find(tag_of(8, 3), kLsn), kInvalidXid);
    EXPECT_EQ(t.set.find(tag_of(7, 3 + kExtentBlocks), kLsn), kInvalidXid);
}

TEST(ExtentSummaries, what_is_kept_again_counts) {
    Table t;
    t.keep(tag_of(7, 3), kLsn, 100);
    t.keep(tag_of(7, 3), kLsn + 800, 120);
    EXPECT_EQ(t.set.find(tag_of(7, 3), kLsn), kInvalidXid);
    EXPECT_EQ(t.set.find(tag_of(7, 3), kLsn + 800), 120U);
}

TEST(ExtentSummaries, lsns_too_far_apart_begin_anew) {
    Table t;
    const Lsn far = kLsn + (Lsn{1} << 36);
    t.keep(tag_of(7, 3), kLsn, 100);
    EXPECT_EQ(t.keep(tag_of(7, 4), far, 200), Kept::beside);
    EXPECT_EQ(t.set.find(tag_of(7, 3), kLsn), kInvalidXid);
    EXPECT_EQ(t.set.find(tag_of(7, 4), far), 200U);
    t.keep(tag_of(7, 5), far - (Lsn{1} << 33), 150);
    EXPECT_EQ(t.set.find(tag_of(7, 4), far), 200U);
    EXPECT_EQ(t.set.find(tag_of(7, 5), far - (Lsn{1} << 33)), 150U);
}

TEST(ExtentSummaries, who_is_asked_for_keeps_its_place) {
    Table t;
    for (std::uint32_t r = 0; r < SummarySet::kWays; ++r)
        EXPECT_EQ(t.keep(tag_of(r + 1, 0), kLsn, 9), Kept::anew);
    const int patience = ExtentSummaries::kGrace - 1;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < patience; ++i) ASSERT_EQ(t.keep(tag_of(99, 0), kLsn, 9, 2), Kept::turned_away);
        for (std::uint32_t r = 0; r < SummarySet::kWays; ++r)
            EXPECT_EQ(t.set.find(tag_of(r + 1, 0), kLsn), 9U);
    }
    for (int i = 0; i < patience; ++i) t.keep(tag_of(99, 0), kLsn, 9, 2);
    int replacements = 0;
    for (int i = 0; i < 2; ++i) replacements += t.keep(tag_of(99, 0), kLsn, 9, 2) == Kept::replacing ? 1 : 0;
    EXPECT_EQ(replacements, 1);
    EXPECT_EQ(t.replaced.relation, t.set.find(tag_of(99, 0), kLsn) == 9U ? t.replaced.relation : 0U);
    EXPECT_EQ(t.set.find(t.replaced, kLsn), kInvalidXid);
}

TEST(ExtentSummaries, forget_frees_what_is_wanted) {
    Table t;
    t.keep(tag_of(1, 0), kLsn, 9);
    t.keep(tag_of(2, 0), kLsn, 9);
    EXPECT_EQ(t.set.forget([](const ExtentSummaries &e) { return e.relation == 1; }), 1);
    EXPECT_EQ(t.set.find(tag_of(1, 0), kLsn), kInvalidXid);
    EXPECT_EQ(t.set.find(tag_of(2, 0), kLsn), 9U);
    EXPECT_EQ(t.keep(tag_of(1, 0), kLsn, 8), Kept::anew);
}

// Whatever happens, an answer is what was kept last for that very page at that very LSN.
TEST(ExtentSummaries, answers_are_never_of_another_version) {
    std::mt19937_64 random(1);
    Table t;
    std::unordered_map<std::uint64_t, std::pair<Lsn, Xid>> last;
    Lsn now = 8;
    int found = 0;
    for (int i = 0; i < 400000; ++i) {
        now += 8 * (1 + random() % (random() % 1000 == 0 ? Lsn{1} << 34 : 1000));
        const PageTag tag = tag_of(1 + random() % 6, random() % (2 * kExtentBlocks));
        const std::uint64_t key = std::uint64_t{tag.relation} << 32 | tag.block;
        if (random() % 2 == 0) {
            const auto newest = static_cast<Xid>(3 + random() % 1000000);
            t.keep(tag, now, newest, static_cast<int>(random() % SummarySet::kWays));
            last[key] = {now, newest};
        } else if (last.contains(key)) {
            const bool as_kept = random() % 2 == 0;
            const Lsn lsn = as_kept ? last[key].first : now - now % 16;
            const Xid answer = t.set.find(tag, lsn);
            if (answer == kInvalidXid) continue;
            ++found;
            ASSERT_EQ(lsn, last[key].first);
            ASSERT_EQ(answer, last[key].second);
        }
    }
    EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace glassheap::buffer
