// heap/rewrite.hpp — copying a table with its versions into new files (CLUSTER, VACUUM FULL).
//
// Why:    PostgreSQL's rewriteheap.c logs with core records that would replay into shared_buffers.
// Errors: may longjmp.  WAL: RecordType::new_pages.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

// Table AM relation_copy_for_cluster: all of it (scan by index, by sort, or sequential; progress reporting).
void copy_for_cluster(Relation old_heap, Relation new_heap, Relation old_index, bool use_sort,
                      TransactionId oldest_xmin, TransactionId *freeze_xid, MultiXactId *multi_cutoff,
                      double *num_tuples, double *tups_vacuumed, double *tups_recently_dead);

}  // namespace glassheap::heap
