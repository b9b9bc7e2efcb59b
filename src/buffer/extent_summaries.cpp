// buffer/extent_summaries.cpp — see buffer/extent_summaries.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "buffer/extent_summaries.hpp"

namespace glassheap::buffer {

namespace {

// Records end at multiples of it.  A distance reaches 32 GB of WAL.
constexpr Lsn kLsnUnit = 8;
constexpr Lsn kReach = kLsnUnit << 31;  // below the page that came first, and above

bool distance_of(Lsn lsn, Lsn base, std::uint32_t *distance) noexcept {
    if (lsn < base || (lsn - base) % kLsnUnit != 0) return false;
    const Lsn units = (lsn - base) / kLsnUnit;
    *distance = static_cast<std::uint32_t>(units);
    return *distance == units;
}

void begin(ExtentSummaries *way, const PageTag &tag, Lsn lsn) noexcept {
    way->space = tag.space;
    way->database = tag.database;
    way->relation = tag.relation;
    way->number = tag.block / kExtentBlocks;
    way->base = lsn > kReach ? lsn - kReach : lsn % kLsnUnit;
    for (ExtentSummaries::Page &page : way->pages) page.newest = kInvalidXid;
    way->grace.store(ExtentSummaries::kGrace, std::memory_order_relaxed);
}

// Pages whose LSNs lie further apart cannot be kept together: the one that comes last stays.
void enter(ExtentSummaries *way, const PageTag &tag, Lsn lsn, Xid newest) noexcept {
    std::uint32_t distance = 0;
    if (!distance_of(lsn, way->base, &distance)) {
        begin(way, tag, lsn);
        (void)distance_of(lsn, way->base, &distance);
    }
    way->pages[tag.block % kExtentBlocks] = {.lsn_distance = distance, .newest = newest};
}

}  // namespace

Xid SummarySet::find(const PageTag &tag, Lsn lsn) noexcept {
    for (ExtentSummaries &way : ways) {
        if (!way.is_of(tag)) continue;
        if (way.grace.load(std::memory_order_relaxed) != ExtentSummaries::kGrace)
            way.grace.store(ExtentSummaries::kGrace, std::memory_order_relaxed);
        const ExtentSummaries::Page &page = way.pages[tag.block % kExtentBlocks];
        std::uint32_t distance;
        const bool same = distance_of(lsn, way.base, &distance) && distance == page.lsn_distance;
        return same ? page.newest : kInvalidXid;
    }
    return kInvalidXid;
}

Kept SummarySet::keep(const PageTag &tag, Lsn lsn, Xid newest, int way, PageTag *replaced) noexcept {
    ExtentSummaries *place = &ways[way];
    for (ExtentSummaries &other : ways) {
        if (other.is_of(tag)) {
            enter(&other, tag, lsn, newest);
            return Kept::beside;
        }
        if (other.grace.load(std::memory_order_relaxed) == 0) place = &other;
    }
    const std::uint32_t grace = place->grace.load(std::memory_order_relaxed);
    if (grace > 1) {
        place->grace.store(grace - 1, std::memory_order_relaxed);
        return Kept::turned_away;
    }
    *replaced = place->first_page();
    begin(place, tag, lsn);
    enter(place, tag, lsn, newest);
    return grace == 0 ? Kept::anew : Kept::replacing;
}

}  // namespace glassheap::buffer
