// fsm/fsm_page.cpp — see the header.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "fsm/fsm_page.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace glassheap::fsm {
namespace {

constexpr int left_child(int node) noexcept {
    return 2 * node + 1;
}
constexpr int parent(int node) noexcept {
    return (node - 1) / 2;
}

// The neighbour to the right on the same level, or the level's first node behind its last one.
constexpr int right_neighbour(int node) noexcept {
    const int next = node + 1;
    // A level's first node is 2^k - 1; its last one is 2^(k+1) - 2.
    const bool wrapped = ((next + 1) & next) == 0;
    return wrapped ? parent(next) : next;
}

// Up to so many slots are set one by one: for 16, some 2,000 instructions instead of the 40,000 of a rebuild.
constexpr int kFewSlots = 64;

}  // namespace

std::uint8_t FsmPage::larger_child(int inner) const noexcept {
    const int left = left_child(inner);
    if (left >= kNodesPerPage) return 0;
    if (left + 1 >= kNodesPerPage) return nodes_[left];
    return std::max(nodes_[left], nodes_[left + 1]);
}

bool FsmPage::set(int slot, std::uint8_t category) noexcept {
    GH_ASSERT(slot >= 0 && slot < kLeafNodes);
    int node = kInnerNodes + slot;
    // A value above the root's proves fsm.T1 broken, so that case goes on even when the leaf is right.
    if (nodes_[node] == category && category <= nodes_[0]) return false;
    nodes_[node] = category;
    while (node > 0) {
        node = parent(node);
        const std::uint8_t value = larger_child(node);
        if (nodes_[node] == value) break;
        nodes_[node] = value;
    }
    if (category > nodes_[0]) rebuild();
    return true;
}

bool FsmPage::set_range(int first, int end, std::uint8_t category) noexcept {
    GH_ASSERT(first >= 0 && first <= end && end <= kLeafNodes);
    bool changed = false;
    if (end - first <= kFewSlots) {
        for (int slot = first; slot < end; slot++) changed = set(slot, category) || changed;
        return changed;
    }
    for (int slot = first; slot < end && !changed; slot++) changed = get(slot) != category;
    if (!changed) return false;
    std::memset(nodes_ + kInnerNodes + first, category, static_cast<std::size_t>(end - first));
    rebuild();
    return true;
}

SearchResult FsmPage::search(std::uint8_t least, bool advance, int *slot) noexcept {
    if (nodes_[0] < least) return SearchResult::nothing;

    int start = *next_;
    if (start < 0 || start >= kLeafNodes) start = 0;

    // Upwards from the hint's leaf, always one step to the right: the subtree looked at doubles in size and
    // stays to the right of the hint, wrapping around, so that the first hit is near behind the hint.
    int node = kInnerNodes + start;
    while (node > 0 && nodes_[node] < least) node = parent(right_neighbour(node));

    // Downwards, left child first.
    while (node < kInnerNodes) {
        const int left = left_child(node);
        if (left < kNodesPerPage && nodes_[left] >= least)
            node = left;
        else if (left + 1 < kNodesPerPage && nodes_[left + 1] >= least)
            node = left + 1;
        else
            return SearchResult::torn;
    }
    *slot = node - kInnerNodes;
    *next_ = *slot + (advance ? 1 : 0);
    return SearchResult::found;
}

bool FsmPage::rebuild() noexcept {
    bool changed = false;
    for (int node = kInnerNodes - 1; node >= 0; node--) {
        const std::uint8_t value = larger_child(node);
        if (nodes_[node] != value) {
            nodes_[node] = value;
            changed = true;
        }
    }
    return changed;
}

}  // namespace glassheap::fsm
