// heap/row_wait.cpp — waiting for the holders of a row.
//
// Invariants: heap.X3 of heap/xmax.hpp.
// Locking: no page latch may be held while waiting.
// Errors: may longjmp (interrupts, deadlock, lock_timeout, 55P03).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/heap_errors.hpp"
#include "heap/xmax.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_locks.hpp"

namespace glassheap::heap {
namespace {

// The members of the holder's multixact; -1 when nobody can be running (freed: nothing to free).
int members_of(const Holder &holder, MultiXactMember **members) {
    if (HEAP_LOCKED_UPGRADED(holder.infomask)) return -1;
    return ::GetMultiXactIdMembers(holder.xmax, members, false, holder.only_locks());
}

// A conflicting lock counts while its owner runs, a conflicting update unless its owner aborted.
bool member_counts(const MultiXactMember &member) {
    if (ISUPDATE_from_mxstatus(member.status)) return !::TransactionIdDidAbort(member.xid);
    return ::TransactionIdIsInProgress(member.xid);
}

}  // namespace

bool multixact_conflicts(const Holder &holder, LockTupleMode mode, bool *i_am_member) {
    MultiXactMember *members;
    const int count = members_of(holder, &members);
    bool conflict = false;
    for (int i = 0; i < count; ++i) {
        if (::TransactionIdIsCurrentTransactionId(members[i].xid)) {
            if (i_am_member != nullptr) *i_am_member = true;
            continue;
        }
        // Once a conflict is known the rest is only searched for ourselves.
        if (!conflict && statuses_conflict(members[i].status, lock_status(mode)))
            conflict = member_counts(members[i]);
        if (conflict && (i_am_member == nullptr || *i_am_member)) break;
    }
    if (count > 0) ::pfree(members);
    return conflict;
}

int wait_for_multixact(const Holder &holder, MultiXactStatus status, const WaitReason &reason) {
    MultiXactMember *members;
    const int count = members_of(holder, &members);
    int remaining = 0;
    for (int i = 0; i < count; ++i) {
        const Xid xid = members[i].xid;
        if (::TransactionIdIsCurrentTransactionId(xid))
            ++remaining;
        else if (statuses_conflict(members[i].status, status))
            ::XactLockTableWait(xid, reason.rel, reason.tid, reason.oper);
        else if (::TransactionIdIsInProgress(xid))
            ++remaining;
    }
    if (count > 0) ::pfree(members);
    return remaining;
}

bool try_multixact(const Holder &holder, MultiXactStatus status) {
    MultiXactMember *members;
    const int count = members_of(holder, &members);
    bool free = true;
    for (int i = 0; i < count && free; ++i) {
        if (::TransactionIdIsCurrentTransactionId(members[i].xid)) continue;
        if (statuses_conflict(members[i].status, status)) free = pg::has_transaction_ended(members[i].xid);
    }
    if (count > 0) ::pfree(members);
    return free;
}

void note_xmax_ended(HeapTupleHeader row, const buffer::PinnedPage &page, Xid xmax) {
    GH_ASSERT(HeapTupleHeaderGetRawXmax(row) == xmax);
    GH_ASSERT((row->t_infomask & HEAP_XMAX_IS_MULTI) == 0);
    if ((row->t_infomask & (HEAP_XMAX_COMMITTED | HEAP_XMAX_INVALID)) != 0) return;
    if (!HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask) && ::TransactionIdDidCommit(xmax))
        mvcc::set_hint_bits(row, &page, HEAP_XMAX_COMMITTED, xmax);
    else
        mvcc::set_hint_bits(row, &page, HEAP_XMAX_INVALID, kInvalidXid);
}

bool RowQueue::join(LockTupleMode mode, LockWaitPolicy policy) {
    if (held_) return true;
    const LOCKMODE lockmode = queue_lockmode(mode);
    if (policy == LockWaitBlock) {
        ::LockTuple(rel_, &tid_, lockmode);
    } else if (!pg::try_lock_tuple(rel_, tid_, lockmode)) {
        if (policy == LockWaitError) report_lock_not_available(rel_);
        return false;
    }
    mode_ = mode;
    held_ = true;
    return true;
}

void RowQueue::leave() {
    if (!held_) return;
    ::UnlockTuple(rel_, &tid_, queue_lockmode(mode_));
    held_ = false;
}

}  // namespace glassheap::heap
