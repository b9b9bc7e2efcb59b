// guard/rows.cpp — see routed.hpp: heap's row functions.
//
// See:    PG: access/heap/heapam.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/routed.hpp"
#include "heap/fetch.hpp"
#include "heap/rows.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::guard::routed {

// R1.  The map page is in shared_buffers, belongs to this table, and nothing a caller does to a page it only
// looks at hurts it.  Before the work, so that an error leaves nothing half done.
// Always the first one: an address beyond the table's end must not make the map grow.
Buffer pin_stand_in(Relation rel) {
    Buffer buffer = InvalidBuffer;
    if (!::RecoveryInProgress())
        vm::pin(rel, 0, &buffer);
    else
        vm::status(rel, 0, &buffer);  // a standby cannot make a map
    if (!BufferIsValid(buffer))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("a row of glassheap table \"%s\" cannot be handed out by heap's own functions yet",
                        RelationGetRelationName(rel)),
                 errdetail("The table has no visibility map, and a standby cannot create one."),
                 errhint("Run VACUUM on the primary server.")));
    return buffer;
}

namespace {

void copy_row(HeapTuple tuple) {
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
    bool update_indexes;
    const TM_Result result =
        heap::update(rel, tid, tuple, cid, crosscheck, wait, tmfd, lockmode, &update_indexes);
    GH_ASSERT(result != TM_Ok || update_indexes != HeapTupleIsHeapOnly(tuple));
    return result;
}

TM_Result heap_lock_tuple(Relation rel, HeapTuple tuple, CommandId cid, LockTupleMode mode,
                          LockWaitPolicy wait_policy, bool follow_update, Buffer *buffer,
                          TM_FailureData *tmfd) {
    *buffer = pin_stand_in(rel);
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
    const Buffer stand_in = pin_stand_in(rel);
    bool visible;
    {
        buffer::PinnedPage page;
        visible = heap::fetch(rel, snapshot, tuple, &page, keep);
        if (tuple->t_data != nullptr) copy_row(tuple);
    }
    if (tuple->t_data != nullptr)
        *buffer = stand_in;
    else
        ::ReleaseBuffer(stand_in);
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
