// vacuum/dead_items.cpp — see the header.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "vacuum/dead_items.hpp"

#include <bit>
#include <cstring>

#include "base/check.hpp"

namespace glassheap::vacuum {
namespace {

constexpr std::size_t words_of_bytes(std::size_t bytes) noexcept {
    return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
}

}  // namespace

// At least one word, so that no table begins at word 0, which means "none" in the directory.
std::size_t DeadItems::directory_words(BlockNo blocks) noexcept {
    const std::size_t tables = static_cast<std::size_t>(blocks) / kBlocksPerTable + 1;
    return words_of_bytes(tables * sizeof(std::uint32_t));
}

std::size_t DeadItems::bytes_required(BlockNo blocks) noexcept {
    return (directory_words(blocks) + kTableWords + kBitmapWordsMax) * sizeof(std::uint64_t);
}

std::size_t DeadItems::bytes_wanted(BlockNo blocks) noexcept {
    const std::size_t tables = static_cast<std::size_t>(blocks) / kBlocksPerTable + 1;
    // One page's room more than can be needed: room_for_page() is asked after the last page, too.
    const std::size_t words = directory_words(blocks) + (tables + 1) * kTableWords +
                              (static_cast<std::size_t>(blocks) + 1) * kBitmapWordsMax;
    constexpr std::size_t kAddressable = std::size_t{1} << kWordsShift;
    return (words < kAddressable ? words : kAddressable) * sizeof(std::uint64_t);
}

DeadItems::DeadItems(std::span<std::uint64_t> memory, BlockNo blocks) noexcept
    : memory_(memory), blocks_(blocks) {
    GH_ASSERT(memory.size_bytes() >= bytes_required(blocks));
    constexpr std::size_t kAddressable = std::size_t{1} << kWordsShift;
    if (memory_.size() > kAddressable) memory_ = memory_.first(kAddressable);
    reset();
}

void DeadItems::reset() noexcept {
    used_ = directory_words(blocks_);
    std::memset(memory_.data(), 0, used_ * sizeof(std::uint64_t));
    count_ = 0;
    blocks_with_items_ = 0;
}

std::int64_t DeadItems::capacity() const noexcept {
    const auto pages =
        static_cast<std::int64_t>((memory_.size() - directory_words(blocks_)) / kBitmapWordsMax);
    const std::int64_t most = static_cast<std::int64_t>(blocks_) * page::kMaxTuplesPerPage;
    const std::int64_t fits = pages * page::kMaxTuplesPerPage;
    return fits < most ? fits : most;
}

std::size_t DeadItems::take(std::size_t words) noexcept {
    GH_ASSERT(words <= free_words());
    const std::size_t start = used_;
    used_ += words;
    return start;
}

std::uint32_t *DeadItems::table_for(BlockNo block) noexcept {
    std::uint32_t &table = directory()[block / kBlocksPerTable];
    if (table == 0) {
        table = static_cast<std::uint32_t>(take(kTableWords));
        std::memset(memory_.data() + table, 0, kTableWords * sizeof(std::uint64_t));
    }
    return reinterpret_cast<std::uint32_t *>(memory_.data() + table);
}

std::uint32_t DeadItems::make_ref(std::span<const SlotNo> slots) noexcept {
    if (slots.size() <= kInlineMax) {
        std::uint32_t ref = 0;
        for (std::size_t i = slots.size(); i > 0; i--) ref = (ref << kInlineBits) | slots[i - 1];
        return ref;
    }
    const std::size_t words = slots.back() / 64U + 1;
    const std::size_t start = take(words);
    std::memset(memory_.data() + start, 0, words * sizeof(std::uint64_t));
    for (const SlotNo slot : slots) memory_[start + slot / 64U] |= std::uint64_t{1} << (slot % 64U);
    return (static_cast<std::uint32_t>(words) << kWordsShift) | static_cast<std::uint32_t>(start);
}

void DeadItems::add(BlockNo block, std::span<const SlotNo> slots) noexcept {
    GH_ASSERT(block < blocks_ && !slots.empty() && slots.front() != kInvalidSlot);
    GH_ASSERT(slots.back() <= page::kMaxTuplesPerPage);
    std::uint32_t *table = table_for(block);
    GH_ASSERT(table[block % kBlocksPerTable] == 0);
    table[block % kBlocksPerTable] = make_ref(slots);
    count_ += static_cast<std::int64_t>(slots.size());
    blocks_with_items_++;
}

BlockNo DeadItems::next_block(BlockNo from) const noexcept {
    BlockNo block = from;
    while (block < blocks_) {
        const std::uint32_t table = directory()[block / kBlocksPerTable];
        if (table == 0) {
            const BlockNo next = (block / kBlocksPerTable + 1) * kBlocksPerTable;
            if (next < block) break;  // wrapped around at the end of all block numbers
            block = next;
            continue;
        }
        if (ref_of(block) != 0) return block;
        block++;
    }
    return kInvalidBlock;
}

page::SlotList DeadItems::slots_of(BlockNo block) const noexcept {
    const std::uint32_t ref = ref_of(block);
    const std::uint32_t words = ref >> kWordsShift;
    page::SlotList slots;
    if (words == 0) {
        for (std::uint32_t rest = ref; rest != 0; rest >>= kInlineBits)
            slots.push_back(static_cast<SlotNo>(rest & kInlineMask));
        return slots;
    }
    for (std::uint32_t word = 0; word < words; word++) {
        for (std::uint64_t bits = memory_[(ref & kRestMask) + word]; bits != 0; bits &= bits - 1)
            slots.push_back(static_cast<SlotNo>(word * 64U + static_cast<unsigned>(std::countr_zero(bits))));
    }
    return slots;
}

}  // namespace glassheap::vacuum
