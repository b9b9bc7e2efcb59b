// guard/rows.cpp — see routed.hpp: heap's row functions.
//
// See:    PG: access/heap/heapam.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/routed.hpp"
#include "heap/fetch.hpp"
#include "heap/row_access.hpp"
#include "heap/rows.hpp"

namespace glassheap::guard::routed {

// guard.R1.  Callers judge the row they got with the buffer they got: HeapTupleSatisfies... sets a hint in
// the copy and then has an image of the buffer's page logged, without what lies between its pd_lower and
// pd_upper.  So it must be a page whose standard image is whole, and one that no replay or vacuum wants for
// itself alone: the meta page of a B-tree.  This index is in every database, and hardly anybody looks
// anything up in it. The locks keep REINDEX from dropping the page under the pin; all go with the resource
// owner.
Buffer pin_stand_in() {
    ::LockRelationOid(TransformRelationId, AccessShareLock);  // table before index, as everybody
    Relation index = ::index_open(TransformOidIndexId, AccessShareLock);
    const Buffer buffer = ::ReadBuffer(index, BTREE_METAPAGE);
    ::index_close(index, NoLock);
    return buffer;
}

namespace {

void copy_row(Relation rel, HeapTuple tuple, const buffer::PinnedPage &page) {
    heap::require_within_page(rel, *tuple, page);
    const auto *source = reinterpret_cast<const char *>(tuple->t_data);
    tuple->t_data = static_cast<HeapTupleHeader>(::palloc(tuple->t_len));
    std::memcpy(tuple->t_data, source, tuple->t_len);
}

void expect_ok(TM_Result result, const char *function) {
    switch (result) {
        case TM_Ok:
            return;
        case TM_SelfModified:
            elog(ERROR, "tuple already updated by self");
            break;
        case TM_Updated:
            elog(ERROR, "tuple concurrently updated");
            break;
        case TM_Deleted:
            elog(ERROR, "tuple concurrently deleted");
            break;
        default:
            elog(ERROR, "unrecognized %s status: %u", function, result);
    }
}

}  // namespace

void heap_insert(Relation rel, HeapTuple tuple, CommandId cid, int options, BulkInsertState bistate) {
    heap::insert(rel, tuple, cid, options, bistate);
}

void heap_multi_insert(Relation rel, TupleTableSlot **slots, int count, CommandId cid, int options,
                       BulkInsertState bistate) {
    heap::multi_insert(rel, slots, count, cid, options, bistate);
}

TM_Result heap_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot crosscheck, bool wait,
                      TM_FailureData *tmfd, bool changing_partition) {
    return heap::remove(rel, tid, cid, crosscheck, wait, tmfd, changing_partition);
}

// The caller looks at the new tuple's header to learn whether index entries are wanted: heap::update marks
// it.
TM_Result heap_update(Relation rel, ItemPointer tid, HeapTuple tuple, CommandId cid, Snapshot crosscheck,
                      bool wait, TM_FailureData *tmfd, LockTupleMode *lockmode) {
    pg::StaleIndexes stale;
    const TM_Result result = heap::update(rel, tid, tuple, cid, crosscheck, wait, tmfd, lockmode, &stale);
    GH_ASSERT(result != TM_Ok || (stale == pg::StaleIndexes::none) == HeapTupleIsHeapOnly(tuple));
    return result;
}

TM_Result heap_lock_tuple(Relation rel, HeapTuple tuple, CommandId cid, LockTupleMode mode,
                          LockWaitPolicy wait_policy, bool follow_update, Buffer *buffer,
                          TM_FailureData *tmfd) {
    *buffer = pin_stand_in();  // before the work: an error leaves nothing half done
    return heap::lock_row(rel, tuple, cid, mode, wait_policy, follow_update, tmfd);
}

void heap_finish_speculative(Relation rel, ItemPointer tid) {
    heap::finish_speculative(rel, tid);
}

void heap_abort_speculative(Relation rel, ItemPointer tid) {
    heap::abort_speculative(rel, tid);
}

bool heap_fetch(Relation rel, Snapshot snapshot, HeapTuple tuple, Buffer *buffer, bool keep) {
    *buffer = InvalidBuffer;
    buffer::PinnedPage page;
    const bool visible = heap::fetch(rel, snapshot, tuple, &page, keep);
    if (tuple->t_data != nullptr) {
        copy_row(rel, tuple, page);
        *buffer = pin_stand_in();
    }
    return visible;
}

void simple_heap_insert(Relation rel, HeapTuple tuple) {
    heap::insert(rel, tuple, ::GetCurrentCommandId(true), 0, nullptr);
}

void simple_heap_delete(Relation rel, ItemPointer tid) {
    TM_FailureData failure;
    expect_ok(heap::remove(rel, tid, ::GetCurrentCommandId(true), InvalidSnapshot, true, &failure, false),
              "heap_delete");
}

void simple_heap_update(Relation rel, ItemPointer tid, HeapTuple tuple) {
    TM_FailureData failure;
    LockTupleMode lockmode;
    expect_ok(routed::heap_update(rel, tid, tuple, ::GetCurrentCommandId(true), InvalidSnapshot, true,
                                  &failure, &lockmode),
              "heap_update");
}

}  // namespace glassheap::guard::routed
