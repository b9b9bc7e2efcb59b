// heap/lock_row_settle.cpp — a row that somebody holds or has changed: can our lock stand beside his?
//
// Invariants: heap.X1 of heap/xmax.hpp: what was decided without the latch is checked again under it.
// Locking: settle() gives the page latch up and takes it again (but see Settled::have_it).
// Errors: may longjmp (waits; 55P03).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "heap/heap_errors.hpp"
#include "heap/lock_row.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_locks.hpp"

namespace glassheap::heap {
namespace {

// What was copied from the row before the latch was given up.
struct Seen {
    Holder holder;
    ItemPointerData ctid;

    bool keys_updated() const noexcept { return (holder.infomask2 & HEAP_KEYS_UPDATED) != 0; }
    Xid updater() const {
        if (holder.only_locks()) return kInvalidXid;
        return holder.is_multi() ? multixact_updater(holder.xmax) : holder.xmax;
    }
    bool leads_on(const HeapTupleData &tuple) const noexcept {
        return !holder.only_locks() &&
               !::ItemPointerEquals(const_cast<ItemPointer>(&tuple.t_self), const_cast<ItemPointer>(&ctid));
    }
};

enum class Wait : std::uint8_t {
    needless,    // latched, and nobody conflicts
    needed,      // not latched
    look_again,  // latched
    refuse,      // latched; *result is set
};

// Does a subtransaction of ours hold the row strongly enough?  It must then be granted without queueing: who
// waits for a stronger lock queues before us and waits for our transaction.
bool my_multixact_suffices(RowLock *lock, const Holder &holder) {
    MultiXactMember *members;
    const int count = ::GetMultiXactIdMembers(holder.xmax, &members, false, holder.only_locks());
    bool suffices = false;
    for (int i = 0; i < count && !suffices; ++i) {
        if (!::TransactionIdIsCurrentTransactionId(members[i].xid)) continue;
        suffices = strength_of(members[i].status) >= lock->mode;
        // Promotion of a weaker lock: others may be in the queue waiting for us, so we do not join it.
        if (!suffices) lock->skip_queue = true;
    }
    if (count > 0) ::pfree(members);
    return suffices;
}

bool my_plain_lock_suffices(LockTupleMode mode, const Holder &holder) {
    const uint16 strength = holder.infomask & HEAP_LOCK_MASK;
    switch (mode) {
        case LockTupleKeyShare:
            return true;
        case LockTupleShare:
            return strength == HEAP_XMAX_SHR_LOCK || strength == HEAP_XMAX_EXCL_LOCK;
        case LockTupleNoKeyExclusive:
            return strength == HEAP_XMAX_EXCL_LOCK;
        case LockTupleExclusive:
            break;
    }
    return strength == HEAP_XMAX_EXCL_LOCK && (holder.infomask2 & HEAP_KEYS_UPDATED) != 0;
}

bool i_have_it(RowLock *lock, const Holder &holder) {
    if (!lock->first_look) return false;
    lock->first_look = false;
    if (holder.is_multi()) return my_multixact_suffices(lock, holder);
    return holder.is_me() && my_plain_lock_suffices(lock->mode, holder);
}

TM_Result lock_chain(const RowLock &lock, const Seen &seen) {
    if (!lock.follow_updates || !seen.leads_on(lock.tuple)) return TM_Ok;
    return lock_later_versions(lock.rel, seen.holder, seen.ctid, lock.mode);
}

// Latches; unless the holder changed, there is no need to wait.
Wait latch_if_unchanged(RowLock *lock, const Holder &holder) {
    lock->page.latch_exclusive();
    return holder.unchanged(lock->tuple.t_data) ? Wait::needless : Wait::look_again;
}

// KEY SHARE goes along with everything that leaves the key alone.  If there is an update, its versions must
// be locked first: they could lose the key.
Wait try_key_share(RowLock *lock, const Seen &seen, TM_Result *result) {
    if (seen.keys_updated()) return Wait::needed;
    const Xid updater = seen.updater();
    const TM_Result chain = lock_chain(*lock, seen);
    GH_STOP_POINT("heap.chain_locked");
    lock->page.latch_exclusive();
    if (chain != TM_Ok) {
        *result = chain;
        return Wait::refuse;
    }
    // Lockers may have come and gone, if only none of them has FOR UPDATE; the versions of another updater
    // than the one seen were not locked.
    HeapTupleHeader row = lock->tuple.t_data;
    if ((row->t_infomask2 & HEAP_KEYS_UPDATED) != 0) return Wait::look_again;
    return mvcc::is_only_locked(row) || mvcc::update_xid(row) == updater ? Wait::needless : Wait::look_again;
}

// SHARE goes along with other share locks.
Wait try_share(RowLock *lock, const Seen &seen) {
    if (!seen.holder.only_locks() || HEAP_XMAX_IS_EXCL_LOCKED(seen.holder.infomask)) return Wait::needed;
    lock->page.latch_exclusive();
    const uint16 infomask = lock->tuple.t_data->t_infomask;
    if (!HEAP_XMAX_IS_LOCKED_ONLY(infomask) || HEAP_XMAX_IS_EXCL_LOCKED(infomask)) return Wait::look_again;
    return Wait::needless;
}

// NO KEY UPDATE goes along with KEY SHARE only.
Wait try_no_key_exclusive(RowLock *lock, const Seen &seen) {
    const bool free = seen.holder.is_multi() ? !multixact_conflicts(seen.holder, lock->mode, nullptr)
                                             : HEAP_XMAX_IS_KEYSHR_LOCKED(seen.holder.infomask);
    return free ? latch_if_unchanged(lock, seen.holder) : Wait::needed;
}

Wait try_without_waiting(RowLock *lock, const Seen &seen, TM_Result *result) {
    Wait wait = Wait::needed;
    if (lock->mode == LockTupleKeyShare)
        wait = try_key_share(lock, seen, result);
    else if (lock->mode == LockTupleShare)
        wait = try_share(lock, seen);
    else if (lock->mode == LockTupleNoKeyExclusive)
        wait = try_no_key_exclusive(lock, seen);
    // Alone on the row, we take the stronger lock; in a multixact the wait skips our own membership.
    if (wait == Wait::needed && seen.holder.is_me()) wait = latch_if_unchanged(lock, seen.holder);
    return wait;
}

// Waits for the holders as the policy says.  False: SKIP LOCKED.  Not latched.
bool wait_for_holder(RowLock *lock, const Holder &holder) {
    const MultiXactStatus status = lock_status(lock->mode);
    const WaitReason reason{lock->rel, &lock->tuple.t_self, XLTW_Lock};
    if (lock->policy == LockWaitBlock) {
        if (holder.is_multi())
            wait_for_multixact(holder, status, reason);
        else
            ::XactLockTableWait(holder.xmax, reason.rel, reason.tid, reason.oper);
        return true;
    }
    const bool free =
        holder.is_multi() ? try_multixact(holder, status) : pg::has_transaction_ended(holder.xmax);
    if (!free && lock->policy == LockWaitError) report_lock_not_available(lock->rel);
    return free;
}

Wait queue_and_wait(RowLock *lock, const Seen &seen, TM_Result *result) {
    const bool queued = lock->skip_queue || lock->queue.join(lock->mode, lock->policy);
    if (queued) GH_STOP_POINT("heap.before_lock_wait");
    if (!queued || !wait_for_holder(lock, seen.holder)) {
        *result = TM_WouldBlock;
        lock->page.latch_exclusive();
        return Wait::refuse;
    }
    const TM_Result chain = lock_chain(*lock, seen);
    lock->page.latch_exclusive();
    if (chain != TM_Ok) {
        *result = chain;
        return Wait::refuse;
    }
    if (!seen.holder.unchanged(lock->tuple.t_data)) return Wait::look_again;
    // Other members of a multixact may still run; a plain xmax that conflicted has ended.
    if (!seen.holder.is_multi()) note_xmax_ended(lock->tuple.t_data, lock->page, seen.holder.xmax);
    return Wait::needed;
}

}  // namespace

Settled settle(RowLock *lock, TM_Result *result) {
    HeapTupleHeader row = lock->tuple.t_data;
    const Seen seen{Holder::of(row), row->t_ctid};
    lock->page.unlatch();
    if (i_have_it(lock, seen.holder)) return Settled::have_it;

    Wait wait = try_without_waiting(lock, seen, result);
    if (wait == Wait::needless) return Settled::grant;
    if (wait == Wait::needed && (*result == TM_Updated || *result == TM_Deleted)) {
        lock->page.latch_exclusive();  // committed: no wait will bring it back
        return Settled::refuse;
    }
    if (wait == Wait::needed) wait = queue_and_wait(lock, seen, result);
    if (wait == Wait::look_again) return Settled::look_again;
    if (wait == Wait::refuse) return Settled::refuse;

    if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || mvcc::is_only_locked(row)) return Settled::grant;
    *result = changed_by_other(&lock->tuple);
    return Settled::refuse;
}

}  // namespace glassheap::heap
