// scan/look_ahead.cpp — see look_ahead.hpp.
//
// Why:    pg/pg_btree.hpp finds the scan behind a fetch (scan.L2); here is what is done with its leaf.
// Invariants: scan.L3 an address comes from an index, which may be damaged: an offset number is not followed
//            if its line pointer would not lie within the page, nor a block announced that the table has not.
//         scan.L4 a leaf that leads through many rows of each page as they lie there is left alone: memory
//            and operating system see that by themselves.
// Errors: may longjmp (opening a segment).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "scan/look_ahead.hpp"

#include "buffer/peek.hpp"
#include "pg/pg_btree.hpp"
#include "scan/touch.hpp"

namespace glassheap::scan {

namespace {

SlotNo root_of(const ItemPointerData &tid) noexcept {
    return ItemPointerGetOffsetNumberNoCheck(&tid);
}
BlockNo block_of(const ItemPointerData &tid) noexcept {
    return ItemPointerGetBlockNumberNoCheck(&tid);
}

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
        state->next_read = item + step;
    }
    state->last_item = item;
}

// scan.L4: does the leaf lead through its rows as they lie in the table, many from each page?
bool is_in_order(const pg::LeafPosition &position) noexcept {
    constexpr int kSamples = 4;
    const int items = position.last() - position.first();
    if (items < kSamples * LookAhead::kInOrder) return false;
    const auto block_at = [&](int sample) noexcept {
        return static_cast<std::int64_t>(
            block_of(position.tid(position.first() + items * sample / kSamples)));
    };
    std::int64_t way = 0;
    for (int i = 0; i < kSamples; ++i) way += std::abs(block_at(i + 1) - block_at(i));
    return way * LookAhead::kInOrder <= items;
}

void touch_page(LookAhead *state, Relation rel, const pg::LeafPosition &position, int item) noexcept {
    const ItemPointerData &tid = position.tid(item);
    const int before = item - state->step;
    const bool same_block =
        position.has(before) && block_of(position.tid(before)) == block_of(tid) && before != state->last_item;
    const char *page = same_block ? state->touched[static_cast<unsigned>(before) % LookAhead::kWindow].page
                                  : buffer::peek_page(rel, MAIN_FORKNUM, block_of(tid));
    const char *line = page != nullptr ? line_address(page, root_of(tid)) : nullptr;
    state->touched[static_cast<unsigned>(item) % LookAhead::kWindow] = {page, line};
    if (page == nullptr) {
        state->alert = LookAhead::kAlert;
        return;
    }
    if (!same_block) __builtin_prefetch(page);
    __builtin_prefetch(line);
}

void touch_item(const LookAhead &state, int item) noexcept {
    const auto [page, line] = state.touched[static_cast<unsigned>(item) % LookAhead::kWindow];
    if (line != nullptr) touch_tuple(page, line);
}

// An index that is damaged may name blocks that no file has: to announce them were an error.
bool is_in_table(LookAhead *state, Relation rel, BlockNo block) {
    if (block >= state->blocks) state->blocks = RelationGetNumberOfBlocks(rel);
    return block < state->blocks;
}

// Pages that are not in the pool, lately one was not.  A page is announced once for several items.
void announce(LookAhead *state, Relation rel, const pg::LeafPosition &position) {
    --state->alert;
    if (state->most < 0)
        state->most = pg::is_temp(rel) ? 0 : ::get_tablespace_io_concurrency(rel->rd_rel->reltablespace);
    const int next = state->last_item + state->step;
    if ((state->next_read - next) * state->step < 0) state->next_read = next;
    for (int i = 0; i < 2 && position.has(state->next_read) &&
                    (state->next_read - state->last_item) * state->step <= state->most;
         ++i, state->next_read += state->step) {
        const BlockNo block = block_of(position.tid(state->next_read));
        BlockNo &announced = state->announced[block % LookAhead::kAnnounced];
        if (block == announced || block == block_of(position.tid(state->last_item)) ||
            !is_in_table(state, rel, block))
            continue;
        announced = block;
        buffer::prefetch(rel, MAIN_FORKNUM, block, 1);
    }
}

}  // namespace

void look_ahead(LookAhead *state, IndexFetchTableData *fetch, ItemPointer tid, bool *call_again) {
    if (++state->fetches < LookAhead::kWarmUp) return;
    if (state->left_alone > 0) {
        --state->left_alone;
        return;
    }
    const pg::LeafPosition position = pg::position_of_fetch(fetch, tid, call_again);
    if (!position) return;
    if (position.leaf() != state->leaf && is_in_order(position)) {
        state->leaf = kInvalidBlock;
        state->left_alone = position.last() - position.first();
        return;
    }
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
        touch_item(*state, state->next_page - (LookAhead::kPages - LookAhead::kTuples) * state->step);
        state->next_page += state->step;
    }
    if (state->alert > 0 && !position.is_index_only()) announce(state, fetch->rel, position);
}

}  // namespace glassheap::scan
