// vm/vm_page.hpp — two bits for each heap block on a page of the visibility map.  Pure.
//
//   page:  | header 24 | byte of blocks 0..3 | byte of blocks 4..7 | ... 8168 bytes |
//   byte:  | block 3: frozen visible | block 2: f v | block 1: f v | block 0: f v |   (high bits first)
//
// Locking: a byte may be read without a lock (and is stale at once); it is changed under the exclusive one.
// Errors: never longjmps.
// See:    PG: access/heap/visibilitymap.c (the stock format).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <bit>

#include "base/check.hpp"
#include "base/types.hpp"
#include "page/layout.hpp"

namespace glassheap::vm {

inline constexpr std::uint8_t kBlockMask = 0x03;
inline constexpr unsigned kBitsPerBlock = 2;
inline constexpr unsigned kBlocksPerByte = 8 / kBitsPerBlock;
inline constexpr std::uint32_t kMapBytes =
    static_cast<std::uint32_t>(page::kPageSize - page::align_up(page::kHeaderSize));
inline constexpr std::uint32_t kBlocksPerMapPage = kMapBytes * kBlocksPerByte;

constexpr BlockNo map_block_of(BlockNo heap_block) noexcept {
    return heap_block / kBlocksPerMapPage;
}
constexpr std::uint32_t map_byte_of(BlockNo heap_block) noexcept {
    return (heap_block % kBlocksPerMapPage) / kBlocksPerByte;
}
constexpr unsigned map_shift_of(BlockNo heap_block) noexcept {
    return (heap_block % kBlocksPerByte) * kBitsPerBlock;
}

class VmPage {
public:
    explicit VmPage(char *page_bytes) noexcept
        : map_(reinterpret_cast<std::uint8_t *>(page_bytes + page::kHeaderSize)) {}

    std::uint8_t get(BlockNo heap_block) const noexcept {
        return static_cast<std::uint8_t>((map_[map_byte_of(heap_block)] >> map_shift_of(heap_block)) &
                                         kBlockMask);
    }
    // The block has these bits and no others.
    bool set(BlockNo heap_block, std::uint8_t bits) noexcept {
        GH_ASSERT((bits & ~kBlockMask) == 0);
        std::uint8_t &byte = map_[map_byte_of(heap_block)];
        const unsigned others = byte & ~(unsigned{kBlockMask} << map_shift_of(heap_block));
        return replace(byte, static_cast<std::uint8_t>(others | unsigned{bits} << map_shift_of(heap_block)));
    }
    bool clear(BlockNo heap_block, std::uint8_t bits) noexcept {
        GH_ASSERT((bits & ~kBlockMask) == 0);
        std::uint8_t &byte = map_[map_byte_of(heap_block)];
        const auto changed = static_cast<std::uint8_t>(byte & ~(bits << map_shift_of(heap_block)));
        return replace(byte, changed);
    }
    // Clears every bit that `wrong` has; returns for how many blocks that changed anything.
    std::uint32_t clear_all(const VmPage &wrong) noexcept {
        std::uint32_t blocks = 0;
        for (std::uint32_t i = 0; i < kMapBytes; ++i) {
            const unsigned gone = map_[i] & wrong.map_[i];
            blocks += static_cast<std::uint32_t>(std::popcount((gone | gone >> 1) & 0x55U));
            map_[i] = static_cast<std::uint8_t>(map_[i] & ~gone);
        }
        return blocks;
    }

private:
    static bool replace(std::uint8_t &byte, std::uint8_t value) noexcept {
        const bool changed = byte != value;
        byte = value;
        return changed;
    }
    std::uint8_t *map_;
};

}  // namespace glassheap::vm
