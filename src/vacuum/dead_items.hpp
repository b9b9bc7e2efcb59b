// vacuum/dead_items.hpp — which line pointers of which pages are dead.  Pure.
//
// Why:    an index vacuum asks "is this TID dead?" once for every index entry.  A sorted array answers by
//         bisection (268 ns measured); here a block number leads to its page's slots directly (3 ns).
//
//   directory          tables of 1024 blocks       bitmaps
//   | 0 | 17 | 0 ..|   | ref | 0 | ref | ... |     | word word word | word word | ...
//          `--------------^     `--------------------^
//
//   A ref is 32 bits, 0 for "nothing dead here".  The top three bits are the number of 64-bit words of the
//   page's bitmap (bit s stands for slot s), the rest says where it begins.  With 0 words, the rest holds up
//   to three slots of nine bits each: many pages have no more, and need no bitmap.
//
// Invariants: vacuum.D1 one piece of memory, given by the owner, holds everything; it never grows.  Tables
//            and bitmaps are taken from it one after the other, in words of 8 bytes.
//         vacuum.D2 a block is added at most once between two resets.
// Errors: never longjmps, never allocates.  add() needs room_for_page() to have said yes.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <span>

#include "page/slot_list.hpp"

namespace glassheap::vacuum {

class DeadItems {
public:
    static constexpr std::uint32_t kBlocksPerTable = 1024;

    // Bytes that hold whatever a table of `blocks` pages can have dead, and the least that is of any use.
    static std::size_t bytes_wanted(BlockNo blocks) noexcept;
    static std::size_t bytes_required(BlockNo blocks) noexcept;

    // `memory` must be at least bytes_required(blocks) long and outlive this.
    DeadItems(std::span<std::uint64_t> memory, BlockNo blocks) noexcept;

    // The words in use refer to each other by position only: a copy elsewhere (of the same `blocks`) can be
    // asked contains() by another process.
    std::span<const std::uint64_t> contents() const noexcept { return memory_.first(used_); }
    static DeadItems view_of_copy(std::span<std::uint64_t> copy, BlockNo blocks) noexcept {
        return DeadItems(copy, blocks, Copied{});
    }

    bool room_for_page() const noexcept { return free_words() >= kTableWords + kBitmapWordsMax; }
    // Records the dead slots of a block: ascending, 1 to kMaxTuplesPerPage of them.
    void add(BlockNo block, std::span<const SlotNo> slots) noexcept;
    bool contains(BlockNo block, SlotNo slot) const noexcept;

    // Walks the blocks that have dead items, in order: the first one at or behind `from`, kInvalidBlock at
    // the end.
    BlockNo next_block(BlockNo from) const noexcept;
    // The dead slots of a block, ascending.
    page::SlotList slots_of(BlockNo block) const noexcept;

    std::int64_t count() const noexcept { return count_; }
    BlockNo blocks_with_items() const noexcept { return blocks_with_items_; }
    std::size_t bytes_used() const noexcept { return used_ * sizeof(std::uint64_t); }
    // How many items would fit if all pages were full of them: what is reported as the maximum.
    std::int64_t capacity() const noexcept;
    void reset() noexcept;

private:
    static constexpr std::size_t kTableWords =
        kBlocksPerTable * sizeof(std::uint32_t) / sizeof(std::uint64_t);
    static constexpr std::size_t kBitmapWordsMax = page::kMaxTuplesPerPage / 64 + 1;
    static constexpr unsigned kWordsShift = 29;
    static constexpr std::uint32_t kRestMask = (1U << kWordsShift) - 1;
    static constexpr unsigned kInlineBits = 9;
    static constexpr int kInlineMax = 3;
    static constexpr std::uint32_t kInlineMask = (1U << kInlineBits) - 1;
    static_assert(page::kMaxTuplesPerPage <= static_cast<int>(kInlineMask));
    static_assert(kBitmapWordsMax < 8);

    struct Copied {};
    DeadItems(std::span<std::uint64_t> copy, BlockNo blocks, Copied) noexcept
        : memory_(copy), blocks_(blocks), used_(copy.size()) {}

    static std::size_t directory_words(BlockNo blocks) noexcept;
    std::size_t free_words() const noexcept { return memory_.size() - used_; }
    std::uint32_t *directory() noexcept { return reinterpret_cast<std::uint32_t *>(memory_.data()); }
    const std::uint32_t *directory() const noexcept {
        return reinterpret_cast<const std::uint32_t *>(memory_.data());
    }
    std::size_t take(std::size_t words) noexcept;
    std::uint32_t *table_for(BlockNo block) noexcept;
    std::uint32_t ref_of(BlockNo block) const noexcept;
    std::uint32_t make_ref(std::span<const SlotNo> slots) noexcept;

    std::span<std::uint64_t> memory_;
    BlockNo blocks_;
    std::size_t used_ = 0;  // words
    std::int64_t count_ = 0;
    BlockNo blocks_with_items_ = 0;
};

inline std::uint32_t DeadItems::ref_of(BlockNo block) const noexcept {
    if (block >= blocks_) [[unlikely]]
        return 0;
    const std::uint32_t table = directory()[block / kBlocksPerTable];
    if (table == 0) return 0;
    return reinterpret_cast<const std::uint32_t *>(memory_.data() + table)[block % kBlocksPerTable];
}

inline bool DeadItems::contains(BlockNo block, SlotNo slot) const noexcept {
    const std::uint32_t ref = ref_of(block);
    if (ref == 0) return false;
    const std::uint32_t words = ref >> kWordsShift;
    if (words == 0) {
        for (std::uint32_t rest = ref; rest != 0; rest >>= kInlineBits)
            if ((rest & kInlineMask) == slot) return true;
        return false;
    }
    const std::uint32_t word = slot / 64U;
    return word < words && ((memory_[(ref & kRestMask) + word] >> (slot % 64U)) & 1U) != 0;
}

}  // namespace glassheap::vacuum
