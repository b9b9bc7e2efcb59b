// scan/bitmap_ahead.cpp — see bitmap_ahead.hpp.
//
// Errors: as there.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "scan/bitmap_ahead.hpp"

#include <bit>

#include "buffer/peek.hpp"
#include "scan/scan_desc.hpp"
#include "scan/touch.hpp"

namespace glassheap::scan {

// ---- along the bitmap

// False: it is at its end.
bool BitmapAhead::read_next(Relation rel) {
    if (ended_) return false;
    const pg::BitmapPage *found = iteration_.next();
    if (found == nullptr) {
        ended_ = true;
        return false;
    }
    Page &page = at(read_++);
    page.block = pg::block_of(*found);
    page.rows = pg::is_lossy(*found) ? 0 : std::min(kRows, static_cast<unsigned>(pg::row_count(*found)));
    for (unsigned i = 0; i < page.rows; ++i) page.row[i] = pg::row_at(*found, static_cast<int>(i));
    buffer::touch_frame(rel, MAIN_FORKNUM, page.block);
    return true;
}

// False: to be looked at again when it is nearer.
bool BitmapAhead::look_at_next(Relation rel, BlockNo blocks) {
    Page &next = at(looked_);
    next.page = buffer::peek_page(rel, MAIN_FORKNUM, next.block);
    if (next.page != nullptr) {
        __builtin_prefetch(next.page);
    } else if (most_ > 0) {
        if (looked_ - served_ > target_) return false;
        // An index that is damaged may name blocks that no file has: to announce them were an error.
        if (next.block < blocks) buffer::prefetch(rel, MAIN_FORKNUM, next.block, 1);
    }
    ++looked_;
    return true;
}

void BitmapAhead::touch_rows(const Page &next) const noexcept {
    if (next.page == nullptr) return;
    for (unsigned i = 0; i < next.rows; ++i) {
        if (const char *line = line_address(next.page, next.row[i])) touch_tuple(next.page, line);
    }
}

void BitmapAhead::go_on(Relation rel, BlockNo block, BlockNo blocks) {
    if (!iteration_.began()) {
        if (ring_ == nullptr) {
            const unsigned size = std::bit_ceil(std::max(static_cast<unsigned>(most_), kFrames) + 2);
            ring_ = static_cast<Page *>(::MemoryContextAlloc(pg::query_memory(node_), size * sizeof(Page)));
            mask_ = size - 1;
        }
        iteration_.begin(node_);
        (void)read_next(rel);
    }
    // The node may have passed pages over.
    while (served_ < read_ && at(served_).block < block) {
        if (++served_ == read_ && !read_next(rel)) return;
    }
    looked_ = std::max(looked_, served_ + 1);
    const auto most = static_cast<unsigned>(most_);
    target_ = std::min(most, 2 * target_ + 1);

    while (read_ - served_ <= std::max(target_, kFrames) && read_next(rel)) {
    }
    while (looked_ < read_ && looked_ - served_ <= std::max(target_, kPages) && look_at_next(rel, blocks)) {
    }
    if (served_ + 1 < looked_) touch_rows(at(served_ + 1));
}

void BitmapAhead::rewind() noexcept {
    iteration_.end();
    met_ = 0;
    target_ = 0;
    ended_ = false;
    served_ = looked_ = read_ = 0;
}

// ---- finding the scans of a query

namespace {

const TableAmRoutine *our_routine = nullptr;
ExecutorStart_hook_type next_executor_start = nullptr;

bool take_over(PlanState *state, void *argument) {
    if (pg::BitmapNode *node = pg::bitmap_node(state)) {
        // A subplan that several nodes name (a condition on a partitioned table) is met at each of them.
        if (pg::is_private(node) && pg::table_of(node)->rd_tableam == our_routine &&
            row_scan(pg::scan_of(node)).bitmap_ahead == nullptr) {
            void *memory = ::MemoryContextAlloc(pg::query_memory(node), sizeof(BitmapAhead));
            row_scan(pg::scan_of(node)).bitmap_ahead =
                ::new (memory) BitmapAhead(node, pg::take_over_prefetch(node));
        }
    }
    pg::visit_below(state, take_over, argument);
    return false;
}

extern "C" void gh_take_over_bitmap_scans(QueryDesc *query, int flags) {
    next_executor_start(query, flags);
    if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0 && query->planstate != nullptr)
        (void)take_over(query->planstate, nullptr);
}

}  // namespace

void install_bitmap_ahead(const TableAmRoutine *ours) {
    our_routine = ours;
    next_executor_start = ExecutorStart_hook != nullptr ? ExecutorStart_hook : ::standard_ExecutorStart;
    ExecutorStart_hook = gh_take_over_bitmap_scans;
}

}  // namespace glassheap::scan
