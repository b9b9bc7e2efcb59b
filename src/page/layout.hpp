// page/layout.hpp — the bytes of a heap page and of a tuple header, as PostgreSQL lays them out.
//
// Why:    design.D1: the format is heap's, byte for byte.  Written down here without PostgreSQL's headers so
//         that page edits are testable alone; layout_check.cpp proves that both agree.
//
//   page:   | header 24 | line pointers 4 each -> | free | <- tuples | special (empty) |
//           0           24                        lower  upper       8192
//   tuple:  | xmin 4 | xmax 4 | cid 4 | ctid 6 | infomask2 2 | infomask 2 | hoff 1 | null bitmap | data
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/types.hpp"

namespace glassheap::page {

inline constexpr std::size_t kPageSize = 8192;
inline constexpr std::size_t kHeaderSize = 24;
inline constexpr std::size_t kLinePointerSize = 4;
inline constexpr std::size_t kTupleHeaderSize = 23;
inline constexpr std::size_t kMaxAlign = 8;
inline constexpr std::uint8_t kLayoutVersion = 4;

constexpr std::size_t align_up(std::size_t n) noexcept {
    return (n + (kMaxAlign - 1)) & ~(kMaxAlign - 1);
}

// As many tuples as fit when each is an aligned bare header: 291.
inline constexpr int kMaxTuplesPerPage =
    static_cast<int>((kPageSize - kHeaderSize) / (align_up(kTupleHeaderSize) + kLinePointerSize));
// As many line pointers as lie within a page, whatever a damaged header or address claims.
inline constexpr SlotNo kMostLinePointers = static_cast<SlotNo>((kPageSize - kHeaderSize) / kLinePointerSize);
constexpr bool is_possible_slot(SlotNo slot) noexcept {
    return slot >= 1 && slot <= kMostLinePointers;
}
// What a tuple alone on its page may take: the page without header and one line pointer.
inline constexpr std::size_t kMaxTupleSize = kPageSize - align_up(kHeaderSize + kLinePointerSize);

// pd_flags
inline constexpr std::uint16_t kHasFreeLines = 0x0001;
inline constexpr std::uint16_t kPageFull = 0x0002;
inline constexpr std::uint16_t kAllVisible = 0x0004;

struct PageHeadBytes {
    std::uint32_t lsn_hi;
    std::uint32_t lsn_lo;
    std::uint16_t checksum;
    std::uint16_t flags;
    std::uint16_t lower;
    std::uint16_t upper;
    std::uint16_t special;
    std::uint16_t pagesize_version;
    std::uint32_t prune_xid;
};
static_assert(sizeof(PageHeadBytes) == kHeaderSize);

enum class LineState : std::uint8_t { unused = 0, normal = 1, redirect = 2, dead = 3 };

// One line pointer: offset 15 bits, state 2 bits, length 15 bits, from the low end.
struct LinePointer {
    std::uint32_t bits;

    constexpr std::uint16_t offset() const noexcept { return static_cast<std::uint16_t>(bits & 0x7FFFU); }
    constexpr LineState state() const noexcept { return static_cast<LineState>((bits >> 15) & 3U); }
    constexpr std::uint16_t length() const noexcept { return static_cast<std::uint16_t>(bits >> 17); }
    constexpr bool has_storage() const noexcept { return length() != 0; }
    constexpr bool is_normal() const noexcept { return state() == LineState::normal; }
    constexpr bool is_used() const noexcept { return state() != LineState::unused; }
    constexpr bool is_redirect() const noexcept { return state() == LineState::redirect; }
    constexpr bool is_dead() const noexcept { return state() == LineState::dead; }
    constexpr SlotNo redirect_to() const noexcept { return offset(); }

    static constexpr LinePointer make(std::uint16_t offset, LineState state, std::uint16_t length) noexcept {
        return {static_cast<std::uint32_t>(offset) | (static_cast<std::uint32_t>(state) << 15) |
                (static_cast<std::uint32_t>(length) << 17)};
    }
};
static_assert(sizeof(LinePointer) == kLinePointerSize);

// t_infomask
inline constexpr std::uint16_t kHasNull = 0x0001;
inline constexpr std::uint16_t kHasVarWidth = 0x0002;
inline constexpr std::uint16_t kHasExternal = 0x0004;
inline constexpr std::uint16_t kXmaxKeyShareLock = 0x0010;
inline constexpr std::uint16_t kComboCid = 0x0020;
inline constexpr std::uint16_t kXmaxExclLock = 0x0040;
inline constexpr std::uint16_t kXmaxLockOnly = 0x0080;
inline constexpr std::uint16_t kXmaxShareLock = kXmaxExclLock | kXmaxKeyShareLock;
inline constexpr std::uint16_t kLockMask = kXmaxShareLock | kXmaxExclLock | kXmaxKeyShareLock;
inline constexpr std::uint16_t kXminCommitted = 0x0100;
inline constexpr std::uint16_t kXminInvalid = 0x0200;
inline constexpr std::uint16_t kXminFrozen = kXminCommitted | kXminInvalid;
inline constexpr std::uint16_t kXmaxCommitted = 0x0400;
inline constexpr std::uint16_t kXmaxInvalid = 0x0800;
inline constexpr std::uint16_t kXmaxIsMulti = 0x1000;
inline constexpr std::uint16_t kUpdated = 0x2000;
inline constexpr std::uint16_t kMovedOff = 0x4000;
inline constexpr std::uint16_t kMovedIn = 0x8000;
inline constexpr std::uint16_t kMoved = kMovedOff | kMovedIn;
inline constexpr std::uint16_t kXactMask = 0xFFF0;
inline constexpr std::uint16_t kXmaxBits =
    kXmaxCommitted | kXmaxInvalid | kXmaxIsMulti | kLockMask | kXmaxLockOnly;

// t_infomask2
inline constexpr std::uint16_t kAttributeCountMask = 0x07FF;
inline constexpr std::uint16_t kKeysUpdated = 0x2000;
inline constexpr std::uint16_t kHotUpdated = 0x4000;
inline constexpr std::uint16_t kHeapOnly = 0x8000;

// ctid of a row that moved to another partition; offset number of a speculative insertion's token.
inline constexpr SlotNo kSpecTokenSlot = 0xFFFE;
inline constexpr SlotNo kMovedPartitionsSlot = 0xFFFD;

struct RowAddress {  // ItemPointerData: block number in two halves, then the slot
    std::uint16_t block_hi;
    std::uint16_t block_lo;
    std::uint16_t slot;

    constexpr BlockNo block() const noexcept { return (static_cast<BlockNo>(block_hi) << 16) | block_lo; }
    static constexpr RowAddress make(BlockNo block, SlotNo slot) noexcept {
        return {static_cast<std::uint16_t>(block >> 16), static_cast<std::uint16_t>(block & 0xFFFFU), slot};
    }
    friend constexpr bool operator==(const RowAddress &, const RowAddress &) = default;
};
static_assert(sizeof(RowAddress) == 6);

struct TupleHead {  // the fixed part; the null bitmap starts at byte 23
    Xid xmin;
    Xid xmax;
    std::uint32_t cid;  // cmin, cmax, combo cid, or xvac
    RowAddress ctid;
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t hoff;
};
inline constexpr std::size_t kTupleHeadFixed = 23;  // offset of the null bitmap: sizeof is padded to 24

}  // namespace glassheap::page
