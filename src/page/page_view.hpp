// page/page_view.hpp — reading a page's bytes, trusting nothing that page_check has not proved.
//
// Why:    one place that turns bytes into line pointers and tuple headers.
// Locking: the caller holds the page's latch (share is enough) or owns the bytes.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstring>

#include "page/layout.hpp"

namespace glassheap::page {

class PageView {
public:
    explicit PageView(const char *bytes) noexcept : bytes_(bytes) {}

    const char *bytes() const noexcept { return bytes_; }
    const PageHeadBytes &head() const noexcept { return *reinterpret_cast<const PageHeadBytes *>(bytes_); }

    bool is_new() const noexcept { return head().upper == 0; }
    Lsn lsn() const noexcept { return (static_cast<Lsn>(head().lsn_hi) << 32) | head().lsn_lo; }
    bool all_visible() const noexcept { return (head().flags & kAllVisible) != 0; }
    bool full() const noexcept { return (head().flags & kPageFull) != 0; }
    bool has_free_lines() const noexcept { return (head().flags & kHasFreeLines) != 0; }
    Xid prune_xid() const noexcept { return head().prune_xid; }

    // Highest line pointer number in use; 0 on an empty or new page.
    SlotNo max_slot() const noexcept {
        const std::uint16_t lower = head().lower;
        if (lower <= kHeaderSize) return 0;
        return static_cast<SlotNo>((lower - kHeaderSize) / kLinePointerSize);
    }
    LinePointer line(SlotNo slot) const noexcept {
        LinePointer lp;
        std::memcpy(&lp, bytes_ + kHeaderSize + (slot - 1U) * kLinePointerSize, sizeof lp);
        return lp;
    }
    // Precondition: line(slot).has_storage().
    const TupleHead &tuple(SlotNo slot) const noexcept {
        return *reinterpret_cast<const TupleHead *>(bytes_ + line(slot).offset());
    }
    const char *tuple_bytes(SlotNo slot) const noexcept { return bytes_ + line(slot).offset(); }

    // Bytes between the line pointers and the tuples.
    std::size_t exact_free_space() const noexcept {
        const PageHeadBytes &h = head();
        return h.upper > h.lower ? static_cast<std::size_t>(h.upper - h.lower) : 0;
    }
    // Space for one more tuple including its line pointer, 0 if none (heap's PageGetHeapFreeSpace rule:
    // a page with kMaxTuplesPerPage line pointers, none of them unused, has no room for a row).
    std::size_t free_space_for_tuple() const noexcept;

protected:
    const char *bytes_;
};

}  // namespace glassheap::page
