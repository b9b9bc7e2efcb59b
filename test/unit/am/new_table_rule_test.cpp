// test/unit/am/new_table_rule_test.cpp — which of two settings decides, for every pair of their sources.
// SPDX-License-Identifier: PostgreSQL
#include "am/new_table_rule.hpp"

#include <gtest/gtest.h>

namespace glassheap::am::test {
namespace {

// The order of PostgreSQL's GucSource, as far as it matters.
enum Rank { kBoot, kFile, kDatabase, kRole, kConnection, kSession };

bool decides(Rank default_method, Rank new_tables) {
    return new_tables_setting_decides({default_method, new_tables, kSession});
}

TEST(NewTablesSetting, TheMoreSpecialDecidesAndOursWhenEqual) {
    for (int method = kBoot; method < kSession; ++method)
        for (int ours = kBoot; ours <= kSession; ++ours)
            EXPECT_EQ(decides(static_cast<Rank>(method), static_cast<Rank>(ours)), ours >= method)
                << method << " " << ours;
}

TEST(NewTablesSetting, ASetOfTheDefaultMethodAlwaysDecides) {
    for (int ours = kBoot; ours <= kSession; ++ours) EXPECT_FALSE(decides(kSession, static_cast<Rank>(ours)));
}

TEST(RepackedOriginal, OnlyPgRepacksNames) {
    EXPECT_EQ(repacked_original("table_16384"), 16384U);
    EXPECT_EQ(repacked_original("table_4294967295"), 4294967295U);
    for (const char *other : {"table_4294967296", "table_99999999999999999999999999", "table_", "table", "",
                              "table_0", "table_016384", "table_12a", "table_-1", "log_16384", "xtable_1"})
        EXPECT_EQ(repacked_original(other), 0U) << other;
}

}  // namespace
}  // namespace glassheap::am::test
