// scan/look_ahead.cpp — see look_ahead.hpp.
//
// Why:    `tid` is no more than an address, but core passes the address of a field of the IndexScanDesc.
// Invariants: L2 the IndexScanDesc is believed only if tid and call_again lie as far apart as these two
//            fields do, and if its fetch state is ours: other callers pass variables of their own.
//         L3 an address comes from an index, which may be damaged: an offset number whose line pointer would
//            not lie within the page is not followed.
// Errors: never longjmps.
// See:    PG: access/nbtree.h (BTScanPosData), access/index/indexam.c (index_fetch_heap)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "scan/look_ahead.hpp"

#include "buffer/peek.hpp"
#include "pg/pg_btree.hpp"

namespace glassheap::scan {

namespace {

constexpr std::ptrdiff_t kTidField = offsetof(IndexScanDescData, xs_heaptid);
constexpr std::ptrdiff_t kAgainField = offsetof(IndexScanDescData, xs_heap_continue);

// L2: the position of the btree scan that makes this fetch, or nullptr.
const BTScanPosData *leaf_position(IndexFetchTableData *fetch, ItemPointer tid, bool *call_again) noexcept {
    const auto *tid_bytes = reinterpret_cast<const char *>(tid);
    const auto *again_bytes = reinterpret_cast<const char *>(call_again);
    if (again_bytes - tid_bytes != kAgainField - kTidField) return nullptr;
    const auto *scan = reinterpret_cast<const IndexScanDescData *>(tid_bytes - kTidField);
    if (scan->xs_heapfetch != fetch || scan->opaque == nullptr) return nullptr;
    if (scan->indexRelation->rd_rel->relam != BTREE_AM_OID) return nullptr;
    const BTScanPosData &position = static_cast<const BTScanOpaqueData *>(scan->opaque)->currPos;
    if (!BlockNumberIsValid(position.currPage)) return nullptr;
    if (position.itemIndex < position.firstItem || position.itemIndex > position.lastItem) return nullptr;
    return &position;
}

// A new leaf, or a turn: what was touched before is of no use.
void follow(LookAhead *state, const BTScanPosData &position) noexcept {
    const int item = position.itemIndex;
    const bool same_leaf = state->leaf == position.currPage;
    const int step = !same_leaf ? (item == position.lastItem && item != position.firstItem ? -1 : 1)
                                : (item >= state->last_item ? 1 : -1);
    if (!same_leaf || step != state->step) {
        state->leaf = position.currPage;
        state->step = step;
        state->next_frame = item + step;
        state->next_page = item + step;
    }
    state->last_item = item;
}

SlotNo root_of(const ItemPointerData &tid) noexcept {
    return ItemPointerGetOffsetNumberNoCheck(&tid);
}
BlockNo block_of(const ItemPointerData &tid) noexcept {
    return ItemPointerGetBlockNumberNoCheck(&tid);
}

// nullptr: L3.
const char *line_address(const char *page, const ItemPointerData &tid) noexcept {
    if (!page::is_possible_slot(root_of(tid))) [[unlikely]]
        return nullptr;
    return page + page::kHeaderSize + (root_of(tid) - 1U) * page::kLinePointerSize;
}

void touch_page(LookAhead *state, Relation rel, const BTScanPosData &position, int item) noexcept {
    const ItemPointerData &tid = position.items[item].heapTid;
    const int before = item - state->step;
    const bool same_block = before >= position.firstItem && before <= position.lastItem &&
                            block_of(position.items[before].heapTid) == block_of(tid) &&
                            before != state->last_item;
    const char *page = same_block ? state->touched[static_cast<unsigned>(before) % LookAhead::kWindow].page
                                  : buffer::peek_page(rel, MAIN_FORKNUM, block_of(tid));
    const char *line = page != nullptr ? line_address(page, tid) : nullptr;
    state->touched[static_cast<unsigned>(item) % LookAhead::kWindow] = {page, line};
    if (page == nullptr) return;
    if (!same_block) __builtin_prefetch(page);
    __builtin_prefetch(line);
}

void touch_tuple(const LookAhead &state, int item) noexcept {
    const auto [page, line] = state.touched[static_cast<unsigned>(item) % LookAhead::kWindow];
    if (line == nullptr) return;
    page::LinePointer pointer;
    std::memcpy(&pointer, line, sizeof pointer);
    // A prefetch of a wrong address does nothing, so the pointer's state is not asked.  To gcc it never does
    // anything: without the asm it takes this function for one without effect and drops the calls.
    const char *tuple = page + pointer.offset();
    asm volatile("" : "+r"(tuple));
    __builtin_prefetch(tuple);
}

}  // namespace

void look_ahead(LookAhead *state, IndexFetchTableData *fetch, ItemPointer tid, bool *call_again) noexcept {
    if (++state->fetches < LookAhead::kWarmUp) return;
    const BTScanPosData *position = leaf_position(fetch, tid, call_again);
    if (position == nullptr) return;
    follow(state, *position);

    const auto in_leaf = [position](int item) noexcept {
        return item >= position->firstItem && item <= position->lastItem;
    };
    const auto distance = [state](int item) noexcept { return (item - state->last_item) * state->step; };
    // Two per fetch, so that the window fills without a burst.
    for (int i = 0; i < 2 && in_leaf(state->next_frame) && distance(state->next_frame) <= LookAhead::kFrames;
         ++i) {
        const ItemPointerData &next_tid = position->items[state->next_frame].heapTid;
        buffer::touch_frame(fetch->rel, MAIN_FORKNUM, block_of(next_tid));
        state->next_frame += state->step;
    }
    for (int i = 0; i < 2 && in_leaf(state->next_page) && distance(state->next_page) <= LookAhead::kPages;
         ++i) {
        touch_page(state, fetch->rel, *position, state->next_page);
        // Follows the pages at a fixed distance; what stood there before a turn or a new leaf does no harm.
        touch_tuple(*state, state->next_page - (LookAhead::kPages - LookAhead::kTuples) * state->step);
        state->next_page += state->step;
    }
}

}  // namespace glassheap::scan
