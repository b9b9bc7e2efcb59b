// page/page_check.cpp — the checks a page passes once, when it enters the pool.
//
// Why:    after check_structure no line pointer leads out of the page, arrays of kMaxTuplesPerPage are
//         large enough, and defragment cannot run out of room: the rest of the engine need not ask again.
// Invariants: page.C1 a page that PostgreSQL's heap of any release since 8.3 (format 4) may leave is never
//            refused, also after pg_upgrade, and also dead line pointers that still own storage.
//         page.C2 contents of tuples are not judged, only that header and null bitmap are inside the tuple.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "page/page_check.hpp"

namespace glassheap::page {

namespace {

constexpr std::uint16_t kKnownFlags = kHasFreeLines | kPageFull | kAllVisible;

bool all_zeroes(const char *bytes) noexcept {
    for (std::size_t at = 0; at < kPageSize; at += sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, bytes + at, sizeof word);
        if (word != 0) return false;
    }
    return true;
}

// The tuple's fixed header and null bitmap lie inside its length.
bool header_fits(const TupleHead &tuple, std::size_t length) noexcept {
    std::size_t needed = kTupleHeadFixed;
    if ((tuple.infomask & kHasNull) != 0) {
        const auto attributes = static_cast<std::size_t>(tuple.infomask2 & kAttributeCountMask);
        needed += (attributes + 7) / 8;
    }
    return tuple.hoff >= needed && tuple.hoff <= length;
}

PageFault check_stored(PageView page, LinePointer lp) noexcept {
    const PageHeadBytes &h = page.head();
    if (lp.offset() < h.upper || lp.offset() + lp.length() > h.special) return PageFault::line_pointer;
    if (lp.offset() != align_up(lp.offset())) return PageFault::line_pointer;
    return PageFault::none;
}

PageFault check_line(PageView page, SlotNo slot, SlotNo last) noexcept {
    const LinePointer lp = page.line(slot);
    switch (lp.state()) {
        case LineState::unused:
            return PageFault::none;
        case LineState::redirect:
            if (lp.has_storage()) return PageFault::line_pointer;
            if (lp.redirect_to() == slot || lp.redirect_to() == kInvalidSlot || lp.redirect_to() > last) {
                return PageFault::redirect;
            }
            return PageFault::none;
        case LineState::dead:
            return lp.has_storage() ? check_stored(page, lp) : PageFault::none;
        case LineState::normal:
            break;
    }
    if (lp.length() < kTupleHeadFixed) return PageFault::line_pointer;
    if (const PageFault fault = check_stored(page, lp); fault != PageFault::none) return fault;
    return header_fits(page.tuple(slot), lp.length()) ? PageFault::none : PageFault::tuple_header;
}

}  // namespace

PageFinding check_header(PageView page) noexcept {
    if (page.is_new()) return {all_zeroes(page.bytes()) ? PageFault::none : PageFault::header, kInvalidSlot};
    const PageHeadBytes &h = page.head();
    const bool sane = (h.flags & ~kKnownFlags) == 0 && h.lower >= kHeaderSize && h.lower <= h.upper &&
                      h.upper <= h.special && h.special <= kPageSize && h.special == align_up(h.special) &&
                      // The next row goes right before upper, the next line pointer to lower.
                      h.upper == align_up(h.upper) && (h.lower - kHeaderSize) % kLinePointerSize == 0 &&
                      h.pagesize_version == (kPageSize | kLayoutVersion);
    return {sane ? PageFault::none : PageFault::header, kInvalidSlot};
}

PageFinding check_structure(PageView page) noexcept {
    if (const PageFinding finding = check_header(page); finding.fault != PageFault::none) return finding;
    const SlotNo last = page.max_slot();
    if (last > kMaxTuplesPerPage) return {PageFault::header, kInvalidSlot};

    std::size_t stored = 0;
    for (SlotNo slot = 1; slot <= last; ++slot) {
        if (const PageFault fault = check_line(page, slot, last); fault != PageFault::none)
            return {fault, slot};
        const LinePointer lp = page.line(slot);
        if (lp.is_used()) stored += align_up(lp.length());
    }
    // More than there is between upper and special: some overlap.  Rows put in later add to both sides, so
    // that what is let in stays so, and defragment has room for all.
    const PageHeadBytes &h = page.head();
    if (stored > static_cast<std::size_t>(h.special - h.upper)) return {PageFault::overlap, kInvalidSlot};
    return {};
}

const char *describe(PageFault fault) noexcept {
    switch (fault) {
        case PageFault::none:
            return "no fault";
        case PageFault::header:
            return "invalid page header";
        case PageFault::line_pointer:
            return "line pointer out of bounds";
        case PageFault::overlap:
            return "rows overlap";
        case PageFault::tuple_header:
            return "tuple header does not fit the tuple";
        case PageFault::redirect:
            return "redirect to an impossible line pointer";
    }
    return "unknown fault";
}

}  // namespace glassheap::page
