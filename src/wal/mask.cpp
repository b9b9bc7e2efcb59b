// wal/mask.cpp — see mask.hpp.  Pure.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"
//
#include "wal/mask.hpp"

namespace glassheap::wal {

namespace {

void mask_header(page::PageHeadBytes &head) noexcept {
    head.lsn_hi = head.lsn_lo = 0;
    head.checksum = 0;
    head.prune_xid = kInvalidXid;
    // Free line and full are hints; all-visible may be missing on a page that was ahead of the record.
    head.flags =
        static_cast<std::uint16_t>(head.flags & ~(page::kHasFreeLines | page::kPageFull | page::kAllVisible));
}

void mask_tuple(page::TupleHead &tuple, BlockNo block, SlotNo slot) noexcept {
    const bool frozen = (tuple.infomask & page::kXminFrozen) == page::kXminFrozen;
    // With xmin frozen the xmin bits are logged, but xmax hints and the combo bit are not.
    constexpr std::uint16_t kXmaxHints = page::kXmaxInvalid | page::kXmaxCommitted | page::kComboCid;
    const unsigned hidden = frozen ? kXmaxHints : page::kXactMask;
    tuple.infomask = static_cast<std::uint16_t>(tuple.infomask & ~hidden);
    tuple.cid = 0;  // replay writes command id 0
    // The token of a speculative insertion is not logged.
    if (tuple.ctid.slot == page::kSpecTokenSlot) tuple.ctid = page::RowAddress::make(block, slot);
}

}  // namespace

void mask_page(char *bytes, BlockNo block) noexcept {
    const page::PageEdit edit(bytes);
    mask_header(edit.head());
    if (edit.is_new()) return;
    const page::PageHeadBytes &head = edit.head();
    if (head.lower < page::kHeaderSize || head.lower > head.upper || head.upper > page::kPageSize) return;
    std::memset(bytes + head.lower, 0, static_cast<std::size_t>(head.upper - head.lower));
    for (SlotNo slot = 1; slot <= edit.max_slot(); ++slot) {
        const page::LinePointer lp = edit.line(slot);
        if (!lp.has_storage()) continue;
        const std::size_t end = static_cast<std::size_t>(lp.offset()) + page::align_up(lp.length());
        if (lp.offset() < head.upper || end > page::kPageSize) return;
        if (lp.is_normal()) mask_tuple(edit.tuple(slot), block, slot);
        std::memset(bytes + lp.offset() + lp.length(), 0, end - lp.offset() - lp.length());
    }
}

}  // namespace glassheap::wal
