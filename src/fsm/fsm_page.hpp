// fsm/fsm_page.hpp — the binary tree inside one page of the free space map.  Pure.
//
// Why:    each leaf byte is the free-space category of a heap block (or of a child page); each inner byte
//         is the larger of its two children, so the root byte answers "is it worth looking here".
//
//   page:  | header 24 | next slot 4 | inner nodes 4095 | leaf nodes 4069 |
//   node n has the children 2n+1 and 2n+2; nodes beyond the page's end do not exist and count as 0.
//
// Invariants: fsm.T1 inner byte == max(children), unless the page was torn by a crash: who meets a promise
//            that no child keeps, rebuilds the page.
//         fsm.T2 the next-slot hint may hold anything; it is checked when used.
// Locking: changes under the exclusive latch; search under the share latch (it moves the next-slot hint,
//         which is a plain aligned int that may be overwritten by anybody).
// Errors: never longjmps.
// See:    PG: storage/freespace/README, storage/fsm_internals.h (the stock format).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "fsm/fsm_address.hpp"
#include "page/layout.hpp"

namespace glassheap::fsm {

inline constexpr int kNodesPerPage =
    static_cast<int>(page::kPageSize - page::kHeaderSize - sizeof(std::int32_t));
inline constexpr int kInnerNodes = static_cast<int>(page::kPageSize / 2 - 1);
inline constexpr int kLeafNodes = kNodesPerPage - kInnerNodes;
static_assert(kLeafNodes == kSlotsPerPage);

// ---- categories: one byte stands for a range of free bytes
inline constexpr int kCategories = 256;
inline constexpr std::size_t kCategoryStep = page::kPageSize / kCategories;
inline constexpr std::size_t kMaxRequest = page::kMaxTupleSize;  // category 255 means: at least that

constexpr std::uint8_t category_of_free(std::size_t free_bytes) noexcept {
    if (free_bytes >= kMaxRequest) return 255;
    const std::size_t category = free_bytes / kCategoryStep;
    return static_cast<std::uint8_t>(category > 254 ? 254 : category);
}
// The least category that promises `needed` bytes.
constexpr std::uint8_t category_for_request(std::size_t needed) noexcept {
    if (needed == 0) return 1;
    const std::size_t category = (needed + kCategoryStep - 1) / kCategoryStep;
    return static_cast<std::uint8_t>(category > 255 ? 255 : category);
}
constexpr std::size_t free_of_category(int category) noexcept {
    return category == 255 ? kMaxRequest : static_cast<std::size_t>(category) * kCategoryStep;
}

enum class SearchResult : std::uint8_t { found, nothing, torn };

class FsmPage {
public:
    explicit FsmPage(char *page_bytes) noexcept
        : next_(reinterpret_cast<std::int32_t *>(page_bytes + page::kHeaderSize)),
          nodes_(reinterpret_cast<std::uint8_t *>(page_bytes + page::kHeaderSize + sizeof(std::int32_t))) {}

    std::uint8_t get(int slot) const noexcept { return nodes_[kInnerNodes + slot]; }
    std::uint8_t largest() const noexcept { return nodes_[0]; }
    std::uint8_t node(int index) const noexcept { return nodes_[index]; }
    int next_slot() const noexcept { return *next_; }
    void reset_next_slot() noexcept { *next_ = 0; }

    // Sets one slot and what follows from it; returns whether a byte changed.
    bool set(int slot, std::uint8_t category) noexcept;
    // Sets slots [first, end) to one value.
    bool set_range(int first, int end, std::uint8_t category) noexcept;
    // Finds a slot of at least `least`, starting at the next-slot hint, and moves the hint to it
    // (`advance`: behind it, so that the next searcher gets another page).
    SearchResult search(std::uint8_t least, bool advance, int *slot) noexcept;
    // Zeroes all slots from `first` on.
    bool clear_from(int first) noexcept { return set_range(first, kLeafNodes, 0); }
    // Recomputes all inner nodes from the leaves.
    bool rebuild() noexcept;

private:
    std::uint8_t larger_child(int inner) const noexcept;

    std::int32_t *next_;
    std::uint8_t *nodes_;
};

}  // namespace glassheap::fsm
