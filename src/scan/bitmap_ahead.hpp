// scan/bitmap_ahead.hpp — bitmap scans look at the pages to come: in the pool, or to be announced?
//
// Why:    core's node announces each page by PrefetchBuffer, which looks into shared_buffers, does not find
//         it and makes a system call for a page that is in our pool.  Here the pool is asked, and what it has
//         is brought to the processor's cache in time.
// Invariants: scan.L1, scan.L3 (scan/look_ahead.hpp).
//         scan.B1 (pg/pg_bitmap.hpp)
//         scan.B2 nothing depends on the second iteration but what is announced and touched.
//         scan.B3 pages are announced as far ahead as core would (effective_io_concurrency; 0: none are).
// Errors: may longjmp (memory, opening a segment); what is here ends with the executor's memory.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "pg/pg_bitmap.hpp"
#include "pg/pg_scan.hpp"

namespace glassheap::scan {

class BitmapAhead {
public:
    // `most`: pages announced ahead.
    BitmapAhead(const pg::BitmapNode *node, int most) noexcept : node_(node), most_(most) {}

    // The scan is about to read `block` of a table of `blocks`.
    void before(Relation rel, BlockNo block, BlockNo blocks) {
        if (met_ < kWarmUp) [[unlikely]] {
            ++met_;
            return;
        }
        go_on(rel, block, blocks);
    }
    // It was not in the pool: what follows is likely to be missing, too, and reading takes longer than all of
    // this, so that a short scan need not be spared.
    void after_miss(Relation rel, BlockNo block, BlockNo blocks) {
        if (most_ == 0 || iteration_.began()) return;
        met_ = kWarmUp;
        go_on(rel, block, blocks);
    }
    // The bitmap is about to go.
    void rewind() noexcept;

private:
    static constexpr int kWarmUp = 2;       // pages before it begins: short scans must not pay
    static constexpr unsigned kFrames = 4;  // pages ahead whose frame is touched
    static constexpr unsigned kPages = 2;   // pages ahead whose header is touched
    static constexpr unsigned kRows = 32;   // rows of a page that are touched

    struct Page {
        BlockNo block;
        unsigned rows;
        const char *page;  // nullptr: not in the pool
        SlotNo row[kRows];
    };

    void go_on(Relation rel, BlockNo block, BlockNo blocks);
    bool read_next(Relation rel);
    bool look_at_next(Relation rel, BlockNo blocks);
    void touch_rows(const Page &next) const noexcept;
    Page &at(unsigned number) const noexcept { return ring_[number & mask_]; }

    const pg::BitmapNode *node_;
    int most_;
    int met_ = 0;
    unsigned target_ = 0;  // grows up to most_
    bool ended_ = false;   // the bitmap has no more pages
    // Pages are numbered as the bitmap has them: served_ is the one the scan reads, looked_ the next one to
    // look at in the pool, read_ the next one that the iteration brings.
    unsigned served_ = 0;
    unsigned looked_ = 0;
    unsigned read_ = 0;
    pg::SecondIteration iteration_;
    Page *ring_ = nullptr;
    unsigned mask_ = 0;
};

// From now on queries' bitmap scans of tables with the access method `ours` look ahead.
void install_bitmap_ahead(const TableAmRoutine *ours);

}  // namespace glassheap::scan
