// test/unit/buffer/page_tag_test.cpp — tags: order of writing, and a hash that spreads what tables look like.
// SPDX-License-Identifier: PostgreSQL
#include "buffer/page_tag.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace glassheap::buffer {
namespace {

TEST(PageTag, orders_by_file_then_block) {
    std::vector<PageTag> tags = {{1663, 5, 20, 0, 7}, {1663, 5, 20, 0, 3}, {1663, 5, 20, 1, 0},
                                 {1663, 4, 99, 0, 0}, {1662, 9, 99, 3, 9}, {1663, 5, 19, 0, 8}};
    std::sort(tags.begin(), tags.end());
    const std::vector<PageTag> expected = {{1662, 9, 99, 3, 9}, {1663, 4, 99, 0, 0}, {1663, 5, 19, 0, 8},
                                           {1663, 5, 20, 0, 3}, {1663, 5, 20, 0, 7}, {1663, 5, 20, 1, 0}};
    EXPECT_EQ(tags, expected);
}

TEST(PageTag, every_field_tells_pages_apart) {
    const PageTag tag = {1663, 5, 20, 0, 7};
    for (const PageTag &other :
         {PageTag{1664, 5, 20, 0, 7}, PageTag{1663, 6, 20, 0, 7}, PageTag{1663, 5, 21, 0, 7},
          PageTag{1663, 5, 20, 1, 7}, PageTag{1663, 5, 20, 0, 8}}) {
        EXPECT_FALSE(tag == other);
        EXPECT_NE(hash_tag(tag), hash_tag(other));
    }
    EXPECT_TRUE(tag.same_relation({1663, 5, 20, 1, 99}));
    EXPECT_FALSE(tag.same_relation({1663, 5, 22, 0, 7}));
}

// Pages of a few relations, as sequential as they come: no bucket may get many more than its share, and all
// partitions (the low bits) must be used alike.
TEST(PageTag, hash_spreads_sequential_blocks) {
    constexpr std::uint32_t buckets = 1U << 14;
    std::vector<int> filled(buckets);
    std::vector<int> partitions(128);
    for (std::uint32_t relation = 16384; relation < 16388; ++relation)
        for (BlockNo block = 0; block < buckets / 4; ++block) {
            const std::uint32_t hash = hash_tag({1663, 5, relation, 0, block});
            ++filled[hash % buckets];
            ++partitions[hash % 128];
        }
    EXPECT_LE(*std::max_element(filled.begin(), filled.end()), 12);
    const auto empty = std::count(filled.begin(), filled.end(), 0);
    EXPECT_LT(empty, buckets * 45 / 100);  // a random hash leaves 37 %
    EXPECT_GT(*std::min_element(partitions.begin(), partitions.end()), 80);
    EXPECT_LT(*std::max_element(partitions.begin(), partitions.end()), 180);
}

TEST(PageTag, relation_hash_ignores_fork_and_block) {
    EXPECT_EQ(hash_relation({1663, 5, 20, 0, 7}), hash_relation({1663, 5, 20, 3, 9}));
    EXPECT_NE(hash_relation({1663, 5, 20, 0, 7}), hash_relation({1663, 5, 21, 0, 7}));
}

}  // namespace
}  // namespace glassheap::buffer
