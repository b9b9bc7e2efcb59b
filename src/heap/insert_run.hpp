// heap/insert_run.hpp — runs of single inserts: one page, one change and one record for many rows.
//
// Why:    design.D10.  INSERT ... SELECT, CREATE TABLE AS, REFRESH MATERIALIZED VIEW and rewrites by ALTER
//         TABLE bring rows one by one.  A run gathers them in a page image of this backend's own, at their
//         final addresses, and stores the page when it is full, or when anybody who may know of the rows
//         could look.
// Invariants: heap.I1 until it is stored, the page in the pool is empty: whatever may happen to it (eviction,
//            checkpoint, crash, a reader, a backup) happens to an empty page.
//         heap.I2 meanwhile it is pinned and reserved (pool.B5): nobody else puts rows there, and VACUUM
//            does not set it all-visible.
//         heap.I3 no other process knows the rows before they are stored: their transaction runs, and the
//            table has no index.  This backend stores them before it looks at a table, begins or ends a
//            statement, ends a subtransaction, commits or prepares (finish_runs).
//         heap.I4 a run never spans transactions: what an abort finds open is dropped, its page stays empty.
//         heap.I5 an xid of a run has been logged with a row before, by the same subtransaction: a page that
//            is stored below another one (logged as an image) cannot be the first that replay hears of it.
// Errors: finish_runs and put_into_run may longjmp (40001 of serializable transactions, memory); the run
//         stays open then, and is dropped with its transaction.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::heap {

class InsertRun;

// What a run is of: it ends when the next row differs.
struct RunKey {
    pg::RelFile file;
    Xid xid;
    Cid cid;
    int options;  // HEAP_INSERT_*
};

// Puts the row into the open run of its command; sets its t_self.  False: no run is open, or its page was
// full and is stored; *run is the one that may begin with the next page, or nullptr: the table has none.
bool put_into_run(Relation rel, HeapTuple row, const RunKey &key, InsertRun **run);
// Makes `page`, latched and chosen for `row`, the page of the run if that pays (an empty page, and not the
// command's first rows): it is unlatched then, and the row is in the run.
bool begin_run(InsertRun *run, Relation rel, const buffer::PinnedPage &page, HeapTuple row, bool bulk);

namespace detail {
extern int open_runs;
void finish_open_runs();
}  // namespace detail

// Stores what runs have gathered (heap.I3).  Call without page latches.
inline void finish_runs() {
    if (detail::open_runs != 0) [[unlikely]]
        detail::finish_open_runs();
}

// After lifecycle's callbacks: at commit the last one installed is called first, and what runs store has to
// be written by those.
void install_insert_runs();

}  // namespace glassheap::heap
