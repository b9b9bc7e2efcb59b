// scan/look_ahead.cpp — see look_ahead.hpp.
//
// Why:    pg/pg_btree.hpp finds the scan behind a fetch (scan.L2); here is what is done with its leaf.
// Invariants: scan.L3 an address comes from an index, which may be damaged: an offset number is not followed
//            if its line pointer would not lie within the page.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "scan/look_ahead.hpp"

#include "buffer/peek.hpp"
#include "pg/pg_btree.hpp"

namespace glassheap::scan {

namespace {

// A new leaf, or a turn: what was touched before is of no use.
void follow(LookAhead *state, const pg::LeafPosition &position) noexcept {
    const int item = position.current();
    const bool same_leaf = state->leaf == position.leaf();
    const int step = !same_leaf ? (item == position.last() && item != position.first() ? -1 : 1)
                                : (item >= state->last_item ? 1 : -1);
    if (!same_leaf || step != state->step) {
        state->leaf = position.leaf();
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

// nullptr: scan.L3.
const char *line_address(const char *page, const ItemPointerData &tid) noexcept {
    if (!page::is_possible_slot(root_of(tid))) [[unlikely]]
        return nullptr;
    return page + page::kHeaderSize + (root_of(tid) - 1U) * page::kLinePointerSize;
}

void touch_page(LookAhead *state, Relation rel, const pg::LeafPosition &position, int item) noexcept {
    const ItemPointerData &tid = position.tid(item);
    const int before = item - state->step;
    const bool same_block =
        position.has(before) && block_of(position.tid(before)) == block_of(tid) && before != state->last_item;
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
    const pg::LeafPosition position = pg::position_of_fetch(fetch, tid, call_again);
    if (!position) return;
    follow(state, position);

    const auto distance = [state](int item) noexcept { return (item - state->last_item) * state->step; };
    // Two per fetch, so that the window fills without a burst.
    for (int i = 0;
         i < 2 && position.has(state->next_frame) && distance(state->next_frame) <= LookAhead::kFrames; ++i) {
        const ItemPointerData &next_tid = position.tid(state->next_frame);
        buffer::touch_frame(fetch->rel, MAIN_FORKNUM, block_of(next_tid));
        state->next_frame += state->step;
    }
    for (int i = 0;
         i < 2 && position.has(state->next_page) && distance(state->next_page) <= LookAhead::kPages; ++i) {
        touch_page(state, fetch->rel, position, state->next_page);
        // Follows the pages at a fixed distance; what stood there before a turn or a new leaf does no harm.
        touch_tuple(*state, state->next_page - (LookAhead::kPages - LookAhead::kTuples) * state->step);
        state->next_page += state->step;
    }
}

}  // namespace glassheap::scan
