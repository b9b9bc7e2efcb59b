// scan/look_ahead.hpp — touching the rows that an index scan will ask for next.
//
// Why:    in a random index scan two thirds of the time is waiting for memory: the page's header, its line
//         pointer, then the tuple.  A btree scan has the addresses of the whole leaf in its private state, so
//         the memory can be on its way before it is asked for.  And the page, where it is not in the pool.
// Invariants: scan.L1 only looks; nothing depends on what is seen: pages are not pinned meanwhile.
// Errors: may longjmp (opening a segment to announce a page of it).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::scan {

struct LookAhead {
    static constexpr int kFrames = 15;  // items ahead whose frame is touched
    static constexpr int kPages = 10;   // items ahead whose page is touched
    static constexpr int kTuples = 5;   // items ahead whose tuple is touched
    static constexpr int kWindow = 16;
    static constexpr int kWarmUp = 3;   // fetches before it begins: short scans must not pay
    static constexpr int kInOrder = 8;  // rows per page from which on a leaf is left alone (scan.L4)
    static constexpr int kAlert = 64;   // fetches for which an absent page makes it announce others
    static constexpr unsigned kAnnounced = 32;

    int fetches = 0;
    int left_alone = 0;            // fetches to come for which nothing is done
    BlockNo leaf = kInvalidBlock;  // of the index
    int last_item = 0;             // the item fetched last
    int step = 1;                  // the direction of the scan
    int next_frame = 0;            // first item whose frame was not touched
    int next_page = 0;             // first item whose page was not touched
    int next_read = 0;             // first item whose page was not announced
    int alert = 0;                 // fetches to come for which absent pages are announced
    int most = -1;                 // items announced ahead (effective_io_concurrency); -1: not yet asked
    BlockNo blocks = 0;            // of the table when last asked

    struct Touched {
        const char *page;  // nullptr: not in the pool
        const char *line;  // nullptr: impossible (scan.L3)
    };
    Touched touched[kWindow];
    BlockNo announced[kAnnounced];  // lately, at their number's place; block 0: none, or itself
};

// Called with what core passed for a fetch; does nothing when these are not the fields of a btree scan.
void look_ahead(LookAhead *state, IndexFetchTableData *fetch, ItemPointer tid, bool *call_again);

}  // namespace glassheap::scan
