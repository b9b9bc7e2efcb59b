// buffer/page_tag.hpp — which page of which fork a frame holds.  Pure.
//
// Why:    five integers without padding, so that comparing, hashing and sorting tags is exact.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/types.hpp"

namespace glassheap::buffer {

struct PageTag {
    std::uint32_t space;  // tablespace
    std::uint32_t database;
    std::uint32_t relation;  // relfilenode
    std::uint32_t fork;
    BlockNo block;

    friend constexpr bool operator==(const PageTag &, const PageTag &) = default;
    constexpr bool same_relation(const PageTag &other) const noexcept {
        return relation == other.relation && database == other.database && space == other.space;
    }
    // Order of writing: by file, then by block.
    friend constexpr bool operator<(const PageTag &a, const PageTag &b) noexcept {
        if (a.space != b.space) return a.space < b.space;
        if (a.database != b.database) return a.database < b.database;
        if (a.relation != b.relation) return a.relation < b.relation;
        if (a.fork != b.fork) return a.fork < b.fork;
        return a.block < b.block;
    }
};
static_assert(sizeof(PageTag) == 20);

// The last step of splitmix64: every input bit reaches every output bit.
constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9ULL;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}
constexpr std::uint32_t hash_relation(const PageTag &tag) noexcept {
    const std::uint64_t place = (std::uint64_t{tag.space} << 32) ^ tag.database;
    return static_cast<std::uint32_t>(mix_bits(place * 0x9E3779B97F4A7C15ULL + tag.relation));
}
constexpr std::uint32_t hash_tag(const PageTag &tag) noexcept {
    const std::uint64_t file = (std::uint64_t{tag.relation} << 32) ^ (std::uint64_t{tag.database} << 8) ^
                               (std::uint64_t{tag.fork} << 4) ^ tag.space;
    return static_cast<std::uint32_t>(mix_bits(file * 0x9E3779B97F4A7C15ULL + tag.block));
}

}  // namespace glassheap::buffer
