// am/tuple_ops.cpp — slots in, slots out.
//
// Why:    see tuple_ops.hpp.
// Invariants: am.T1 writers take any kind of slot and get memory of their own (slot.R6).
//         am.T2 lock() hands out a copy of the version it stopped at, whatever the outcome (slot.R4,
//         slot.R8); *tid is
//            moved to that version.
// Locking: none here; pins end before waiting for transactions.
// Errors: as heap's: 40001 for rows moved to another partition, 55P03 for NOWAIT.
// See:    PG: access/heap/heapam_handler.c, README.tuplock (facts)
// SPDX-License-Identifier: PostgreSQL
#include "am/tuple_ops.hpp"

#include "heap/chain_watch.hpp"
#include "heap/fetch.hpp"
#include "heap/rows.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_locks.hpp"
#include "scan/slot.hpp"

namespace glassheap::am {

namespace {

// The slot's row as a tuple of our own, marked as belonging to `rel`.
struct OwnTuple {
    HeapTuple tuple;
    bool to_be_freed;

    OwnTuple(Relation rel, TupleTableSlot *slot) {
        to_be_freed = true;
        tuple = ::ExecFetchSlotHeapTuple(slot, true, &to_be_freed);
        slot->tts_tableOid = RelationGetRelid(rel);
        tuple->t_tableOid = slot->tts_tableOid;
    }
    void give_back() const {
        if (to_be_freed) ::pfree(tuple);
    }
};

// ---- locking a row: chasing its newest version

enum class Chase : std::uint8_t { lock_it, go_on, ended };

struct Pursuit {
    Relation rel;
    ItemPointer tid;    // the version to look at; moved along the chain
    Xid expected_xmin;  // the updater that made it
    Cid cid;
    LockWaitPolicy wait_policy;
    TM_FailureData *tmfd;
    TM_Result result;  // when the chase has ended
    heap::ChainWatch watch;
};

Chase end_with(Pursuit *pursuit, TM_Result result) noexcept {
    pursuit->result = result;
    return Chase::ended;
}

// Somebody else is changing the version: wait for the outcome, as the policy allows.
Chase wait_for_updater(Pursuit *pursuit, Xid updater, ItemPointerData tid) {
    switch (pursuit->wait_policy) {
        case LockWaitBlock:
            ::XactLockTableWait(updater, pursuit->rel, &tid, XLTW_FetchUpdated);
            break;
        case LockWaitSkip:
            if (!pg::has_transaction_ended(updater)) return end_with(pursuit, TM_WouldBlock);
            break;
        case LockWaitError:
            if (!pg::has_transaction_ended(updater))
                ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                                errmsg("could not obtain lock on row in relation \"%s\"",
                                       RelationGetRelationName(pursuit->rel))));
            break;
    }
    return Chase::go_on;
}

// A version that a dirty snapshot sees: lock it, wait for it, or find that it is none of our business.
Chase meet_live_version(Pursuit *pursuit, HeapTuple tuple, buffer::PinnedPage *page,
                        const SnapshotData &dirty) {
    // Another row in a reused line pointer: ours was deleted.  (An xmin never changes but to invalid or
    // frozen, so it may be read without the latch.)
    if (!TransactionIdEquals(HeapTupleHeaderGetXmin(tuple->t_data), pursuit->expected_xmin))
        return end_with(pursuit, TM_Deleted);
    if (TransactionIdIsValid(dirty.xmin))
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED),
                 errmsg_internal("t_xmin %u is uncommitted in tuple (%u,%u) to be updated in table \"%s\"",
                                 dirty.xmin, ItemPointerGetBlockNumber(&tuple->t_self),
                                 ItemPointerGetOffsetNumber(&tuple->t_self),
                                 RelationGetRelationName(pursuit->rel))));
    if (TransactionIdIsValid(dirty.xmax)) {
        page->release();
        return wait_for_updater(pursuit, dirty.xmax, tuple->t_self);
    }
    // Made by a later command of our own transaction: this command must not see it.
    if (::TransactionIdIsCurrentTransactionId(pursuit->expected_xmin) &&
        ::HeapTupleHeaderGetCmin(tuple->t_data) >= pursuit->cid) {
        pursuit->tmfd->xmax = pursuit->expected_xmin;
        pursuit->tmfd->cmax = ::HeapTupleHeaderGetCmin(tuple->t_data);
        return end_with(pursuit, TM_SelfModified);
    }
    return Chase::lock_it;
}

// A version that even a dirty snapshot does not see: updated or deleted by a transaction that counts.
Chase meet_dead_version(Pursuit *pursuit, HeapTuple tuple) {
    if (tuple->t_data == nullptr) return end_with(pursuit, TM_Deleted);  // pruned away
    if (!TransactionIdEquals(HeapTupleHeaderGetXmin(tuple->t_data), pursuit->expected_xmin))
        return end_with(pursuit, TM_Deleted);
    if (::ItemPointerEquals(&tuple->t_self, &tuple->t_data->t_ctid)) return end_with(pursuit, TM_Deleted);
    *pursuit->tid = tuple->t_data->t_ctid;
    pursuit->expected_xmin = mvcc::update_xid(tuple->t_data);
    pursuit->watch.arrive(pursuit->rel, *pursuit->tid, pursuit->expected_xmin);
    return Chase::go_on;
}

Chase look_at_version(Pursuit *pursuit) {
    if (ItemPointerIndicatesMovedPartitions(pursuit->tid))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("tuple to be locked was already moved to another partition due to concurrent "
                               "update")));
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    HeapTupleData tuple;
    tuple.t_self = *pursuit->tid;
    buffer::PinnedPage page;
    if (heap::fetch(pursuit->rel, &dirty, &tuple, &page, true))
        return meet_live_version(pursuit, &tuple, &page, dirty);
    return meet_dead_version(pursuit, &tuple);
}

// After TM_Updated: moves *tid to the version to be locked.  TM_Ok: lock it; else: the answer.
TM_Result find_last_version(Pursuit *pursuit) {
    Chase chase;
    do {
        chase = look_at_version(pursuit);
    } while (chase == Chase::go_on);
    return chase == Chase::lock_it ? TM_Ok : pursuit->result;
}

}  // namespace

void insert(Relation rel, TupleTableSlot *slot, Cid cid, int options, BulkInsertState bistate) {
    const OwnTuple own(rel, slot);
    heap::insert(rel, own.tuple, cid, options, bistate);
    slot->tts_tid = own.tuple->t_self;
    own.give_back();
}

void insert_speculative(Relation rel, TupleTableSlot *slot, Cid cid, int options, BulkInsertState bistate,
                        uint32 token) {
    const OwnTuple own(rel, slot);
    HeapTupleHeaderSetSpeculativeToken(own.tuple->t_data, token);
    heap::insert(rel, own.tuple, cid, options | HEAP_INSERT_SPECULATIVE, bistate);
    slot->tts_tid = own.tuple->t_self;
    own.give_back();
}

void complete_speculative(Relation rel, TupleTableSlot *slot, bool succeeded) {
    if (succeeded)
        heap::finish_speculative(rel, &slot->tts_tid);
    else
        heap::abort_speculative(rel, &slot->tts_tid);
}

TM_Result update(Relation rel, ItemPointer otid, TupleTableSlot *slot, Cid cid, Snapshot crosscheck,
                 bool wait, TM_FailureData *tmfd, LockTupleMode *lockmode, bool *update_indexes) {
    const ItemPointerData old_tid = *otid;  // may be the slot's own
    const OwnTuple own(rel, slot);
    pg::StaleIndexes stale = pg::StaleIndexes::none;
    const TM_Result result = heap::update(rel, const_cast<ItemPointer>(&old_tid), own.tuple, cid, crosscheck,
                                          wait, tmfd, lockmode, &stale);
    *update_indexes = stale != pg::StaleIndexes::none;
    slot->tts_tid = own.tuple->t_self;
    own.give_back();
    return result;
}

TM_Result lock(Relation rel, ItemPointer tid, TupleTableSlot *slot, Cid cid, LockTupleMode mode,
               LockWaitPolicy wait_policy, uint8 flags, TM_FailureData *tmfd) {
    const bool follow_updates = (flags & TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS) != 0;
    const bool want_last = (flags & TUPLE_LOCK_FLAG_FIND_LAST_VERSION) != 0;
    tmfd->traversed = false;
    for (;;) {
        HeapTupleData tuple;
        tuple.t_self = *tid;
        tuple.t_data = nullptr;
        const TM_Result result = heap::lock_row(rel, &tuple, cid, mode, wait_policy, follow_updates, tmfd);
        if (result != TM_Updated || !want_last) {
            tuple.t_tableOid = RelationGetRelid(rel);
            if (tuple.t_data != nullptr) {
                scan::store_copy(slot, &tuple);
                ::pfree(tuple.t_data);
            } else {
                ::ExecClearTuple(slot);
            }
            slot->tts_tableOid = RelationGetRelid(rel);
            return result;
        }
        if (tuple.t_data != nullptr) ::pfree(tuple.t_data);
        if (::ItemPointerEquals(&tmfd->ctid, &tuple.t_self)) return TM_Deleted;

        *tid = tmfd->ctid;
        tmfd->traversed = true;
        Pursuit pursuit{.rel = rel,
                        .tid = tid,
                        .expected_xmin = tmfd->xmax,
                        .cid = cid,
                        .wait_policy = wait_policy,
                        .tmfd = tmfd,
                        .result = TM_Ok,
                        .watch = {}};
        const TM_Result found = find_last_version(&pursuit);
        if (found != TM_Ok) return found;
    }
}

}  // namespace glassheap::am
