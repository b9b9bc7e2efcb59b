// heap/rewrite.hpp — copying a table with its versions into new files (CLUSTER, VACUUM FULL).
//
// Why:    PostgreSQL's rewriteheap.c logs with core records that would replay into shared_buffers.
//         Which rows to copy, and in which order, is the caller's business (scan/cluster.cpp).
// Invariants: heap.W1 a version keeps its xmin, xmax and their status bits, but old ones are frozen.
//         heap.W2 an old version that somebody may still see points to its successor's new place; since rows
//            come in any order, the first of the two to come waits for the other.
//         heap.W3 pages are built in private memory, logged whole, and written past the pool, which has never
//            heard of the new file.
// Locking: the caller has AccessExclusiveLock on both tables.
// Errors: may longjmp; the new files go with the transaction.
// WAL:    RecordType::new_pages; core's heap2 rewrite record for logical mappings.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

struct RewriteCutoffs {
    Xid oldest_xmin;  // versions deleted before it are dead
    Xid freeze_xid;
    MultiXactId multi_cutoff;
};

class Rewrite;

Rewrite *begin_rewrite(Relation old_table, Relation new_table, const RewriteCutoffs &cutoffs);
// Copies one version.  `copy` is the row re-formed for the new table; its header is filled in from `version`.
void rewrite_version(Rewrite *rewrite, HeapTuple version, HeapTuple copy);
// Tells of a dead version, which is not copied.  True: an older version that was thought to be needed turns
// out to be dead as well.
bool rewrite_dead_version(Rewrite *rewrite, HeapTuple version);
// Writes what is left, syncs, frees everything.
void end_rewrite(Rewrite *rewrite);

}  // namespace glassheap::heap
