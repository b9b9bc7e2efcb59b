// page/page_check.hpp — is this page, as read from disk, safe to walk?
//
// Why:    a damaged page must become an error with relation and block, never a crash: every line
//         pointer that page_view will follow is bounded here, once, when the page enters the pool.
// Errors: never longjmps; returns what is wrong.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/page_view.hpp"

namespace glassheap::page {

enum class PageFault : std::uint8_t {
    none,
    header,        // lower, upper, special out of order, wrong size or version, unknown flags
    line_pointer,  // points outside upper..special, or is misaligned
    overlap,       // all rows together are longer than upper..special
    tuple_header,  // hoff beyond the length, or smaller than a header
    redirect,      // redirect to itself, beyond the last line pointer, or not to a normal one
};

struct PageFinding {
    PageFault fault = PageFault::none;
    SlotNo slot = kInvalidSlot;  // where it applies
};

// The header alone (what PostgreSQL checks when it reads a page); a page of zeroes is valid (new).
PageFinding check_header(PageView page) noexcept;
// check_header plus every line pointer's bounds and each tuple's hoff.
PageFinding check_structure(PageView page) noexcept;
// May these bytes of a page be copied as a row?  Asked again before each copy: one that begins in its page
// and ends in another would show a stranger's rows, or be the end of the process; copies have room for
// kMaxTupleSize.
constexpr bool is_row_extent(std::size_t offset, std::size_t length) noexcept {
    return offset >= kHeaderSize && length >= kTupleHeadFixed && length <= kMaxTupleSize &&
           offset <= kPageSize - length;
}
const char *describe(PageFault fault) noexcept;

}  // namespace glassheap::page
