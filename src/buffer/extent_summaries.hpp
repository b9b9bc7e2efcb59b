// buffer/extent_summaries.hpp — what is known of the pages of one stretch of a table, in few bytes.  Pure.
//
// Why:    a page summary (design.D9) is worth keeping longer than the page itself: 9 bytes beside 8192.
// Invariants: pool.K5 a summary is given out for the very LSN it was kept with.
//         pool.K6 an extent takes the place of another when that one was not asked for while `grace` pages
//            were turned away.  So a table too large for all of its summaries keeps those of a part.
// Locking: the caller's: exclusive for keep() and forget(), share for find() (`grace` is atomic).
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <atomic>

#include "buffer/page_tag.hpp"

namespace glassheap::buffer {

inline constexpr BlockNo kExtentBlocks = 32;

struct ExtentSummaries {
    // The pages of four extents.
    static constexpr std::uint32_t kGrace = 4 * kExtentBlocks;

    std::uint32_t space, database, relation;
    std::uint32_t number;  // of the extent; its first block is number * kExtentBlocks
    Lsn base;
    std::atomic<std::uint32_t> grace;  // 0: the place is free
    std::uint32_t unused;
    struct Page {
        std::uint32_t lsn_distance;  // from `base`, in units of kLsnUnit
        Xid newest;                  // kInvalidXid: nothing is known
    } pages[kExtentBlocks];

    PageTag first_page() const noexcept {
        return {.space = space,
                .database = database,
                .relation = relation,
                .fork = 0,
                .block = number * kExtentBlocks};
    }
    bool is_of(const PageTag &tag) const noexcept {
        return grace.load(std::memory_order_relaxed) != 0 && relation == tag.relation &&
               number == tag.block / kExtentBlocks && database == tag.database && space == tag.space;
    }
};
static_assert(sizeof(ExtentSummaries) == 32 + 8 * kExtentBlocks);

enum class Kept : std::uint8_t { turned_away, beside, anew, replacing };

// Where the summaries of an extent may be.
struct SummarySet {
    static constexpr int kWays = 4;
    ExtentSummaries ways[kWays];

    // The newest inserter, if something is known of the page as it is at this LSN; else kInvalidXid.
    Xid find(const PageTag &tag, Lsn lsn) noexcept;
    // `way`: whose place is taken when none is free.  `replaced`: a page of the extent that was there.
    Kept keep(const PageTag &tag, Lsn lsn, Xid newest, int way, PageTag *replaced) noexcept;
    // Frees what `is_wanted(extent)` says; returns how many.
    template <typename IsWanted>
    int forget(IsWanted is_wanted) noexcept {
        int count = 0;
        for (ExtentSummaries &way : ways) {
            if (way.grace.load(std::memory_order_relaxed) == 0 || !is_wanted(way)) continue;
            way.grace.store(0, std::memory_order_relaxed);
            ++count;
        }
        return count;
    }
};

}  // namespace glassheap::buffer
