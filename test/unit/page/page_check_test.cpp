// test/unit/page/page_check_test.cpp — damaged pages are recognised, odd but sound ones are not refused.
// SPDX-License-Identifier: PostgreSQL
#include "page/page_check.hpp"

#include <memory>
#include <random>

#include "page/page_model.hpp"

namespace glassheap::page::test {
namespace {

class PageCheckTest : public ::testing::Test {
protected:
    PageCheckTest() {
        page.init();
        for (char c = 'a'; c < 'e'; ++c) {
            const std::string tuple = make_tuple(20, c);
            EXPECT_TRUE(page.put_tuple(page.choose_slot(), tuple.data(), tuple.size()));
        }
    }
    PageFault fault() { return check_structure(page).fault; }
    PageBytes storage_{};
    PageEdit page{storage_.bytes};
};

TEST_F(PageCheckTest, SoundPagesPass) {
    EXPECT_EQ(fault(), PageFault::none);
    PageBytes zero{};
    EXPECT_EQ(check_structure(PageView(zero.bytes)).fault, PageFault::none);
    page.set_all_visible(true);
    page.set_full(true);
    EXPECT_EQ(fault(), PageFault::none);
}

TEST_F(PageCheckTest, DeadItemsWithStorageAndStaleRedirectsPass) {
    const LinePointer lp = page.line(2);
    page.set_line(2, LinePointer::make(lp.offset(), LineState::dead, lp.length()));
    page.set_line(3, LinePointer::make(1, LineState::redirect, 0));
    EXPECT_EQ(fault(), PageFault::none);
    page.set_line(1, LinePointer::make(0, LineState::unused, 0));  // the redirect leads nowhere now
    EXPECT_EQ(fault(), PageFault::none);
}

TEST_F(PageCheckTest, HeaderFaults) {
    const PageBytes good = storage_;
    const auto broken = [&](auto edit) {
        storage_ = good;
        edit(page.head());
        return fault();
    };
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.flags = 0x0100; }), PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.lower = 8; }), PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.lower = static_cast<std::uint16_t>(h.upper + 4); }),
              PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.special = 9000; }), PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.special = 8190; }), PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.pagesize_version = kPageSize | 3; }), PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.upper = static_cast<std::uint16_t>(h.upper - 3); }),
              PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.lower = static_cast<std::uint16_t>(h.lower + 2); }),
              PageFault::header);
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.upper = 0; }), PageFault::header);  // "new", but not zero
    EXPECT_EQ(broken([](PageHeadBytes &h) { h.lower = static_cast<std::uint16_t>(kHeaderSize + 300 * 4); }),
              PageFault::header);
}

TEST_F(PageCheckTest, LinePointerFaults) {
    const std::uint16_t at = page.line(2).offset();
    const auto broken = [&](LinePointer lp) {
        page.set_line(2, lp);
        return check_structure(page);
    };
    EXPECT_EQ(broken(LinePointer::make(at, LineState::normal, 0)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(at, LineState::normal, 22)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(static_cast<std::uint16_t>(at + 4), LineState::normal, 44)).fault,
              PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(64, LineState::normal, 44)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(8160, LineState::normal, 44)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(8160, LineState::dead, 44)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(2, LineState::redirect, 0)).fault, PageFault::redirect);
    EXPECT_EQ(broken(LinePointer::make(5, LineState::redirect, 0)).fault, PageFault::redirect);
    EXPECT_EQ(broken(LinePointer::make(0, LineState::redirect, 0)).fault, PageFault::redirect);
    EXPECT_EQ(broken(LinePointer::make(1, LineState::redirect, 8)).fault, PageFault::line_pointer);
    EXPECT_EQ(broken(LinePointer::make(1, LineState::redirect, 8)).slot, 2);
}

TEST_F(PageCheckTest, TupleHeaderFaults) {
    page.tuple(3).hoff = 16;
    EXPECT_EQ(fault(), PageFault::tuple_header);
    page.tuple(3).hoff = 200;
    EXPECT_EQ(fault(), PageFault::tuple_header);
    page.tuple(3).hoff = 24;
    EXPECT_EQ(fault(), PageFault::none);
    page.tuple(3).infomask |= kHasNull;
    page.tuple(3).infomask2 = 9;  // nine attributes need two bytes of null bitmap
    EXPECT_EQ(fault(), PageFault::tuple_header);
    EXPECT_EQ(check_structure(page).slot, 3);
}

// A row that reaches into its neighbour: between upper and special there is too little for all.  It matters
// although the page has room to spare: the next row would take that, and the reader after it refuse the page.
TEST_F(PageCheckTest, RowsThatOverlapFail) {
    EXPECT_EQ(fault(), PageFault::none);
    ASSERT_GT(page.head().upper - page.head().lower, 1000);
    const LinePointer last = page.line(3);
    page.set_line(3, LinePointer::make(last.offset(), LineState::normal,
                                       static_cast<std::uint16_t>(last.length() + 8)));
    EXPECT_EQ(fault(), PageFault::overlap);
}

TEST_F(PageCheckTest, WhatIsLetInStaysSoWhenRowsAreAdded) {
    const std::string tuple = make_tuple(40, 'x');
    while (page.put_tuple(page.choose_slot(), tuple.data(), tuple.size()))
        EXPECT_EQ(fault(), PageFault::none);
    EXPECT_GT(page.max_slot(), 50);
}

// Whatever passes the check can be walked and compacted inside the page (run with GH_SANITIZE=ON).
void use_page(PageEdit page) {
    std::uint32_t sum = 0;
    for (SlotNo s = 1; s <= page.max_slot(); ++s) {
        const LinePointer lp = page.line(s);
        if (!lp.is_normal()) continue;
        const TupleHead &t = page.tuple(s);
        sum += t.xmin + t.hoff;
        for (std::size_t at = 0; at < lp.length(); ++at)
            sum += static_cast<unsigned char>(page.tuple_bytes(s)[at]);
    }
    page.defragment();
    (void)page.free_space_for_tuple();
    (void)page.choose_slot();
    ASSERT_LE(page.head().lower, page.head().upper);
    ASSERT_LE(page.head().upper, page.head().special);
    EXPECT_NE(sum, 1U);
}

TEST(PageCheckFuzz, RandomBytesNeverPassUnsafely) {
    std::mt19937 rng(7);
    int passed = 0;
    struct Guarded {
        std::uint64_t before[64];
        PageBytes page;
        std::uint64_t after[64];
    };
    auto guarded = std::make_unique<Guarded>();
    std::memset(guarded->before, 0x5A, sizeof guarded->before);
    std::memset(guarded->after, 0x5A, sizeof guarded->after);
    for (int round = 0; round < 200000; ++round) {
        PageEdit page(guarded->page.bytes);
        if (round % 64 == 0) {
            page.init();
            for (int i = 0; i < 40; ++i) {
                const std::string tuple = make_tuple(rng() % 150, 'q');
                page.put_tuple(page.choose_slot(), tuple.data(), tuple.size());
            }
        }
        for (unsigned flips = 1 + rng() % 3; flips > 0; --flips) {
            const std::size_t limit = rng() % 2 == 0 ? 200 : kPageSize;
            guarded->page.bytes[rng() % limit] = static_cast<char>(rng());
        }
        if (check_structure(page).fault != PageFault::none) continue;
        ++passed;
        use_page(page);
        ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "round " << round;
    }
    EXPECT_GT(passed, 1000);
    for (const std::uint64_t word : guarded->before) ASSERT_EQ(word, 0x5A5A5A5A5A5A5A5AULL);
    for (const std::uint64_t word : guarded->after) ASSERT_EQ(word, 0x5A5A5A5A5A5A5A5AULL);
}

// Copies of rows end where their page ends; a length that is possible at one offset is not at another.
TEST(RowExtent, EndsWithItsPage) {
    EXPECT_TRUE(is_row_extent(kPageSize - 100, 100));
    EXPECT_FALSE(is_row_extent(kPageSize - 96, 100));
    EXPECT_FALSE(is_row_extent(8000, 8000));
    EXPECT_TRUE(is_row_extent(kPageSize - kMaxTupleSize, kMaxTupleSize));
    EXPECT_FALSE(is_row_extent(kPageSize, kTupleHeadFixed));
}

// What a scan copies into has no more room (scan::next_tuple).
TEST(RowExtent, IsNoLongerThanARow) {
    EXPECT_TRUE(is_row_extent(kHeaderSize, kMaxTupleSize));
    EXPECT_FALSE(is_row_extent(kHeaderSize, kMaxTupleSize + 1));
    EXPECT_FALSE(is_row_extent(kHeaderSize, kPageSize - kHeaderSize));
}

TEST(RowExtent, BeginsBehindThePageHeader) {
    EXPECT_FALSE(is_row_extent(0, 100));
    EXPECT_FALSE(is_row_extent(kHeaderSize - 1, 100));
    EXPECT_FALSE(is_row_extent(static_cast<std::size_t>(-8), 100));
}

TEST(RowExtent, HasAHeaderOfItsOwn) {
    EXPECT_FALSE(is_row_extent(4000, 0));
    EXPECT_FALSE(is_row_extent(4000, kTupleHeadFixed - 1));
    EXPECT_TRUE(is_row_extent(4000, kTupleHeadFixed));
    EXPECT_FALSE(is_row_extent(4000, static_cast<std::size_t>(-1)));
}

}  // namespace
}  // namespace glassheap::page::test
