// page/page_view.cpp — how much room a page has for one more row.
//
// Why:    a heap page never has more than kMaxTuplesPerPage line pointers, because arrays everywhere are
//         sized by that number; a page at the limit is full unless one of its line pointers is free.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "page/page_view.hpp"

namespace glassheap::page {

namespace {

bool any_free_line(PageView page, SlotNo last) noexcept {
    for (SlotNo slot = 1; slot <= last; ++slot) {
        if (!page.line(slot).is_used()) return true;
    }
    return false;
}

}  // namespace

std::size_t PageView::free_space_for_tuple() const noexcept {
    const std::size_t gap = exact_free_space();
    if (gap <= kLinePointerSize) return 0;
    const SlotNo last = max_slot();
    if (last >= kMaxTuplesPerPage) {
        // Without the hint choose_slot would not look, so a free line pointer would not help.
        if (!has_free_lines() || !any_free_line(*this, last)) return 0;
    }
    return gap - kLinePointerSize;
}

}  // namespace glassheap::page
