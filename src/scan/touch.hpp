// scan/touch.hpp — having the processor fetch a row of a page that is looked at later.
//
// Invariants: scan.L1, scan.L3 (scan/look_ahead.hpp): pages are not pinned, nothing of what is seen counts.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstring>

#include "page/layout.hpp"

namespace glassheap::scan {

// nullptr: scan.L3.
inline const char *line_address(const char *page, SlotNo row) noexcept {
    if (!page::is_possible_slot(row)) [[unlikely]]
        return nullptr;
    return page + page::kHeaderSize + (row - 1U) * page::kLinePointerSize;
}

// The tuple that the line pointer at `line` seems to lead to.
inline void touch_tuple(const char *page, const char *line) noexcept {
    page::LinePointer pointer;
    std::memcpy(&pointer, line, sizeof pointer);
    // A prefetch of a wrong address does nothing, so the pointer's state is not asked.  To gcc it never does
    // anything: without the asm it takes this function for one without effect and drops the calls.
    const char *tuple = page + pointer.offset();
    asm volatile("" : "+r"(tuple));
    __builtin_prefetch(tuple);
}

}  // namespace glassheap::scan
