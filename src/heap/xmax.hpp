// heap/xmax.hpp — who holds a row, and what its xmax becomes when one more transaction wants it.
//
// Why:    a row lock is an xmax: one transaction, or a multixact of several.  Delete, update and row locks
//         all ask the same questions: does the holder conflict with me, wait for it, and what do I write?
// Invariants: heap.X1 the decision is made on copies of xmax and infomask; after every wait (page unlatched)
//                the caller compares them with the row again (Holder::unchanged).
//             heap.X2 compute_xmax preserves everybody who is still to be respected: running lockers, and an
//                updater that is running or committed.
//             heap.X3 the heavyweight row lock (RowQueue) only orders the waiters; it is never held while
//                nobody waits.
// Locking: waiting functions want the page pinned and NOT latched.
// Errors: may longjmp (waits answer interrupts, deadlock 40P01, multixact limits 54000).
// See:    PG: access/heap/README.tuplock.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::heap {

// What a row lock strength means to the lock manager, and as a member of a multixact.
LOCKMODE queue_lockmode(LockTupleMode mode) noexcept;
LockTupleMode strength_of(MultiXactStatus status) noexcept;
MultiXactStatus lock_status(LockTupleMode mode) noexcept;
MultiXactStatus update_status(LockTupleMode mode);  // ereports for modes that cannot update
inline bool statuses_conflict(MultiXactStatus held, MultiXactStatus wanted) {
    return ::DoLockModesConflict(queue_lockmode(strength_of(held)), queue_lockmode(strength_of(wanted)));
}
// The status that a plain (not multixact) xmax stands for; false for a lock of no known kind, which only
// clusters upgraded from before 9.3 contain.
bool status_of_plain_xmax(uint16 infomask, uint16 infomask2, MultiXactStatus *status) noexcept;

// The holder of a row as seen at one moment.
struct Holder {
    Xid xmax;  // raw: an xid, or a multixact
    uint16 infomask;
    uint16 infomask2;

    static Holder of(HeapTupleHeader row) noexcept {
        return {HeapTupleHeaderGetRawXmax(row), row->t_infomask, row->t_infomask2};
    }
    bool is_multi() const noexcept { return (infomask & HEAP_XMAX_IS_MULTI) != 0; }
    bool only_locks() const noexcept { return HEAP_XMAX_IS_LOCKED_ONLY(infomask); }
    bool is_me() const { return !is_multi() && ::TransactionIdIsCurrentTransactionId(xmax); }
    // Is the row still held in the same way by the same holder?
    bool unchanged(HeapTupleHeader row) const noexcept {
        constexpr uint16 kKind = HEAP_XMAX_IS_MULTI | HEAP_XMAX_LOCK_ONLY | HEAP_LOCK_MASK;
        return ((row->t_infomask ^ infomask) & kKind) == 0 && HeapTupleHeaderGetRawXmax(row) == xmax;
    }
};

// The new xmax of a row, ready for page::XmaxMark.
struct NewXmax {
    Xid xmax;
    uint16 infomask;
    uint16 infomask2;

    page::XmaxMark as_lock() const noexcept {
        return {.xmax = xmax, .infomask_bits = infomask, .infomask2_bits = infomask2};
    }
    page::XmaxMark as_change(Cid cid, bool combo) const noexcept {
        return {.xmax = xmax,
                .infomask_bits = infomask,
                .infomask2_bits = infomask2,
                .cid = cid,
                .is_combo = combo,
                .set_cid = true};
    }
};
// `me` (the current transaction or a live subtransaction) joins the holder with `mode`.  May create a
// multixact.  Call MultiXactIdSetOldestMember before.
NewXmax compute_xmax(Holder holder, Xid me, LockTupleMode mode, bool is_update);
// The infomask bits that describe a multixact.
void multixact_bits(MultiXactId multi, uint16 *infomask, uint16 *infomask2);
// The updater among the members of a multixact that is not lock-only; kInvalidXid if none.
Xid multixact_updater(MultiXactId multi);

// Does the multixact hold the row against `mode`?  *i_am_member (may be nullptr) tells whether this
// transaction is one of its members; only ever set to true.
bool multixact_conflicts(const Holder &holder, LockTupleMode mode, bool *i_am_member);
struct WaitReason {
    Relation rel;
    ItemPointer tid;
    XLTW_Oper oper;  // for the error context
};
// Waits for the members that conflict with `status`; returns how many members are left running, this
// transaction's own included.
int wait_for_multixact(const Holder &holder, MultiXactStatus status, const WaitReason &reason);
// As above without waiting; false when a conflicting member runs.
bool try_multixact(const Holder &holder, MultiXactStatus status);

// After the wait for a plain xmax: aborted and mere lockers leave the hint "xmax invalid".
void note_xmax_ended(HeapTupleHeader row, const buffer::PinnedPage &page, Xid xmax);

// The place in the queue of those who wait for one row (heap.X3).
class RowQueue {
public:
    RowQueue(Relation rel, const ItemPointerData &tid) noexcept : rel_(rel), tid_(tid) {}
    // Returns false only for LockWaitSkip; LockWaitError reports 55P03.
    bool join(LockTupleMode mode, LockWaitPolicy policy);
    void leave();

private:
    Relation rel_;
    ItemPointerData tid_;
    LockTupleMode mode_ = LockTupleKeyShare;
    bool held_ = false;
};

// Fills *tmfd from the row that could not be had.  Page latched.
void describe_failure(TM_Result result, HeapTupleHeader row, TM_FailureData *tmfd);
// Updated or Deleted: which of both is the xmax of a row that another transaction has changed?
inline TM_Result changed_by_other(HeapTuple row) noexcept {
    return ::ItemPointerEquals(&row->t_self, &row->t_data->t_ctid) ? TM_Deleted : TM_Updated;
}

// Marks a row as locked, in a critical section of its own with its WAL record, and clears the all-frozen
// bit.  Page latched exclusively; vmbuf covers the page if it is all-visible.
void mark_locked(Relation rel, const buffer::PinnedPage &page, SlotNo slot, const page::XmaxMark &mark,
                 Buffer vmbuf);

}  // namespace glassheap::heap
