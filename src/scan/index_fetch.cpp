// scan/index_fetch.cpp — from an index entry to the row it stands for.
//
// Why:    an index entry names the root of a HOT chain; the member that the snapshot sees is wanted.
// Invariants: scan.I1 the page of the row last fetched stays pinned until a fetch from another page, reset or
//         end.
//         scan.I2 rows fetched with SnapshotSelf and SnapshotDirty are copied: the recheck of deferred unique
//            constraints reads the slot after it has ended the fetch (slot.R3).  SnapshotAny is used by
//            CLUSTER only, which obeys scan.I1.
// Locking: none on return.
// Errors: may longjmp.
// See:    PG: access/heap/heapam_handler.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "buffer/setup.hpp"
#include "heap/fetch.hpp"
#include "heap/prune.hpp"
#include "heap/row_access.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"

namespace glassheap::scan {

namespace {

// A page that others changed meanwhile is read again: rows may have been added in another frame since, and an
// entry must not be called dead for that.
void go_to_block(IndexFetch &fetch, BlockNo block) {
    if (fetch.page.valid() && fetch.page.block() == block && fetch.page.is_usable()) [[likely]]
        return;
    fetch.page.release();
    fetch.page = buffer::read_page(fetch.base.rel, MAIN_FORKNUM, block);
    heap::prune_on_access(fetch.base.rel, fetch.page);
}

bool needs_copy(Snapshot snapshot) noexcept {
    return !IsMVCCSnapshot(snapshot) && snapshot->snapshot_type != SNAPSHOT_ANY;
}

}  // namespace

IndexFetchTableData *index_fetch_begin(Relation rel) {
    buffer::require_ready();
    auto *fetch = ::new (::palloc(sizeof(IndexFetch))) IndexFetch{};
    fetch->base.rel = rel;
    return &fetch->base;
}

void index_fetch_reset(IndexFetchTableData *fetch) {
    index_fetch(fetch).page.release();
    index_fetch(fetch).ahead.left_alone = 0;
}

void index_fetch_end(IndexFetchTableData *fetch) {
    index_fetch_reset(fetch);
    ::pfree(fetch);
}

bool index_fetch_tuple(IndexFetchTableData *base, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
                       bool *call_again, bool *all_dead) {
    IndexFetch &fetch = index_fetch(base);
    const bool first_call = !*call_again;
    if (first_call) {
        look_ahead(&fetch.ahead, base, tid, call_again);
        go_to_block(fetch, ItemPointerGetBlockNumber(tid));
    }

    HeapTupleData tuple;
    fetch.page.latch_share();
    const bool found =
        heap::hot_search(fetch.base.rel, tid, fetch.page, snapshot, &tuple, all_dead, first_call);
    fetch.page.unlatch();
    // Only a snapshot that is not MVCC may see more than one member of a chain.
    *call_again = found && !IsMVCCSnapshot(snapshot);
    if (!found) return false;

    if (needs_copy(snapshot)) {
        heap::require_within_page(fetch.base.rel, tuple, fetch.page);
        store_copy(slot, &tuple);
    } else {
        store_in_place(slot, tuple);
    }
    return true;
}

}  // namespace glassheap::scan
