// heap/xmax.cpp — lock strengths, and the xmax of a row that one more transaction takes hold of.
//
// Errors: may longjmp (multixact creation and look-up).
// WAL:    mark_locked emits RecordType::lock.
// See:    heap/README.md; PG: access/heap/README.tuplock.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/heap_errors.hpp"
#include "heap/row_access.hpp"
#include "heap/xmax.hpp"
#include "mvcc/visibility.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {

// Strengths rise from KeyShare to Exclusive; the lock manager's modes were chosen so that they conflict
// exactly like the row locks do.
LOCKMODE queue_lockmode(LockTupleMode mode) noexcept {
    switch (mode) {
        case LockTupleKeyShare:
            return AccessShareLock;
        case LockTupleShare:
            return RowShareLock;
        case LockTupleNoKeyExclusive:
            return ExclusiveLock;
        case LockTupleExclusive:
            break;
    }
    return AccessExclusiveLock;
}

LockTupleMode strength_of(MultiXactStatus status) noexcept {
    switch (status) {
        case MultiXactStatusForKeyShare:
            return LockTupleKeyShare;
        case MultiXactStatusForShare:
            return LockTupleShare;
        case MultiXactStatusForNoKeyUpdate:
        case MultiXactStatusNoKeyUpdate:
            return LockTupleNoKeyExclusive;
        case MultiXactStatusForUpdate:
        case MultiXactStatusUpdate:
            break;
    }
    return LockTupleExclusive;
}

MultiXactStatus lock_status(LockTupleMode mode) noexcept {
    switch (mode) {
        case LockTupleKeyShare:
            return MultiXactStatusForKeyShare;
        case LockTupleShare:
            return MultiXactStatusForShare;
        case LockTupleNoKeyExclusive:
            return MultiXactStatusForNoKeyUpdate;
        case LockTupleExclusive:
            break;
    }
    return MultiXactStatusForUpdate;
}

MultiXactStatus update_status(LockTupleMode mode) {
    if (mode == LockTupleNoKeyExclusive) return MultiXactStatusNoKeyUpdate;
    if (mode != LockTupleExclusive) elog(ERROR, "row lock mode %d cannot update", static_cast<int>(mode));
    return MultiXactStatusUpdate;
}

bool status_of_plain_xmax(uint16 infomask, uint16 infomask2, MultiXactStatus *status) noexcept {
    const bool keys_updated = (infomask2 & HEAP_KEYS_UPDATED) != 0;
    if (!HEAP_XMAX_IS_LOCKED_ONLY(infomask)) {
        *status = keys_updated ? MultiXactStatusUpdate : MultiXactStatusNoKeyUpdate;
        return true;
    }
    switch (infomask & HEAP_LOCK_MASK) {
        case HEAP_XMAX_KEYSHR_LOCK:
            *status = MultiXactStatusForKeyShare;
            return true;
        case HEAP_XMAX_SHR_LOCK:
            *status = MultiXactStatusForShare;
            return true;
        case HEAP_XMAX_EXCL_LOCK:
            *status = keys_updated ? MultiXactStatusForUpdate : MultiXactStatusForNoKeyUpdate;
            return true;
        default:
            return false;
    }
}

namespace {

MultiXactStatus wanted_status(LockTupleMode mode, bool is_update) {
    return is_update ? update_status(mode) : lock_status(mode);
}

// Nobody else has to be respected.
NewXmax sole_holder(Xid me, LockTupleMode mode, bool is_update) {
    NewXmax result{me, 0, 0};
    if (mode == LockTupleExclusive) result.infomask2 = HEAP_KEYS_UPDATED;
    if (is_update) return result;
    result.infomask = HEAP_XMAX_LOCK_ONLY;
    switch (mode) {
        case LockTupleKeyShare:
            result.infomask |= HEAP_XMAX_KEYSHR_LOCK;
            break;
        case LockTupleShare:
            result.infomask |= HEAP_XMAX_SHR_LOCK;
            break;
        case LockTupleNoKeyExclusive:
        case LockTupleExclusive:
            result.infomask |= HEAP_XMAX_EXCL_LOCK;
            break;
    }
    return result;
}

NewXmax from_multixact(MultiXactId multi) {
    NewXmax result{multi, 0, 0};
    multixact_bits(multi, &result.infomask, &result.infomask2);
    return result;
}

// Is there still a member to respect: one that runs, or an updater that committed?
bool multixact_matters(const Holder &holder) {
    // Lock-only without any strength: share locks of a cluster upgraded from before 9.3.  They are gone, and
    // multixact.c must not be asked about them.
    if (HEAP_LOCKED_UPGRADED(holder.infomask)) return false;
    if (::MultiXactIdIsRunning(holder.xmax, holder.only_locks())) return true;
    return !holder.only_locks() && ::TransactionIdDidCommit(multixact_updater(holder.xmax));
}

// A plain xmax that runs.  Never both: another strength of mine (merged) and a multixact of me with me.
NewXmax join_running(const Holder &holder, Xid me, LockTupleMode mode, bool is_update) {
    MultiXactStatus held;
    if (!status_of_plain_xmax(holder.infomask, holder.infomask2, &held)) {
        // Cannot be: only pg_upgraded rows look like this, and their lockers do not run any more.
        elog(WARNING, "LOCK_ONLY found for Xid in progress %u", holder.xmax);
        return sole_holder(me, mode, is_update);
    }
    if (holder.xmax == me) {
        GH_ASSERT(holder.only_locks());
        return sole_holder(me, std::max(mode, strength_of(held)), is_update);
    }
    return from_multixact(::MultiXactIdCreate(holder.xmax, held, me, wanted_status(mode, is_update)));
}

}  // namespace

NewXmax compute_xmax(Holder holder, Xid me, LockTupleMode mode, bool is_update) {
    GH_ASSERT(::TransactionIdIsCurrentTransactionId(me));
    if ((holder.infomask & HEAP_XMAX_INVALID) != 0) [[likely]]
        return sole_holder(me, mode, is_update);
    if (holder.is_multi()) {
        if (!multixact_matters(holder)) return sole_holder(me, mode, is_update);
        return from_multixact(::MultiXactIdExpand(holder.xmax, me, wanted_status(mode, is_update)));
    }
    // "In progress" is asked before "committed": an xid leaves the one before it enters the other (PG:
    // heapam_visibility.c).  The commit hint spares both questions.
    const bool known_committed = (holder.infomask & HEAP_XMAX_COMMITTED) != 0;
    if (!known_committed && ::TransactionIdIsInProgress(holder.xmax))
        return join_running(holder, me, mode, is_update);
    if (known_committed || (!holder.only_locks() && ::TransactionIdDidCommit(holder.xmax))) {
        // A committed updater stays the updater of this version.
        const MultiXactStatus held =
            (holder.infomask2 & HEAP_KEYS_UPDATED) != 0 ? MultiXactStatusUpdate : MultiXactStatusNoKeyUpdate;
        return from_multixact(::MultiXactIdCreate(holder.xmax, held, me, wanted_status(mode, is_update)));
    }
    return sole_holder(me, mode, is_update);  // it ended since the row was looked at
}

void multixact_bits(MultiXactId multi, uint16 *infomask, uint16 *infomask2) {
    MultiXactMember *members;
    const int count = ::GetMultiXactIdMembers(multi, &members, false, false);
    LockTupleMode strongest = LockTupleKeyShare;
    bool has_update = false;
    *infomask2 = 0;
    for (int i = 0; i < count; ++i) {
        const MultiXactStatus status = members[i].status;
        strongest = std::max(strongest, strength_of(status));
        has_update = has_update || ISUPDATE_from_mxstatus(status);
        if (strength_of(status) == LockTupleExclusive) *infomask2 = HEAP_KEYS_UPDATED;
    }
    if (count > 0) ::pfree(members);

    *infomask = HEAP_XMAX_IS_MULTI;
    if (strongest >= LockTupleNoKeyExclusive)
        *infomask |= HEAP_XMAX_EXCL_LOCK;
    else
        *infomask |= strongest == LockTupleShare ? HEAP_XMAX_SHR_LOCK : HEAP_XMAX_KEYSHR_LOCK;
    if (!has_update) *infomask |= HEAP_XMAX_LOCK_ONLY;
}

Xid multixact_updater(MultiXactId multi) {
    MultiXactMember *members;
    const int count = ::GetMultiXactIdMembers(multi, &members, false, false);
    Xid updater = kInvalidXid;
    for (int i = 0; i < count && updater == kInvalidXid; ++i)
        if (ISUPDATE_from_mxstatus(members[i].status)) updater = members[i].xid;
    if (count > 0) ::pfree(members);
    return updater;
}

void describe_failure(TM_Result result, HeapTupleHeader row, TM_FailureData *tmfd) {
    tmfd->ctid = row->t_ctid;
    tmfd->xmax = HeapTupleHeaderGetUpdateXid(row);
    // The cmax of others is not to be had: their combo cids are private.
    tmfd->cmax = result == TM_SelfModified ? ::HeapTupleHeaderGetCmax(row) : kInvalidCid;
}

void mark_locked(Relation rel, const buffer::PinnedPage &page, SlotNo slot, const page::XmaxMark &mark,
                 Buffer vmbuf) {
    // Looked at without the map's lock: the bit is set and cleared under this page's exclusive latch.  Only
    // correct_page clears (wrong) bits without it, and clearing one twice does no harm.
    const bool frozen =
        page.view().all_visible() && (vm::get_bits(vmbuf, page.block()) & vm::kAllFrozenBit) != 0;
    const Buffer cleared = frozen ? vmbuf : InvalidBuffer;
    vm::VmLock vm_lock(cleared);
    buffer::PageChange change;
    change.add(page);
    const page::PageEdit edit = page.edit();
    edit.mark_xmax(slot, mark);
    if (HEAP_XMAX_IS_LOCKED_ONLY(mark.infomask_bits)) {
        // No update of this version counts any more, so no forward link may be left.  With a live updater
        // among the holders both stay: the link leads to the version that the lock's holder protects.
        edit.set_hot_updated(slot, false);
        edit.set_ctid(slot, page::RowAddress::make(page.block(), slot));
    }
    if (frozen) vm::clear_bits_locked(vmbuf, page.block(), vm::kAllFrozenBit);
    if (RelationNeedsWAL(rel))
        wal::emit_lock({.page = &page, .rel = rel, .slot = slot, .mark = mark, .cleared_frozen_vm = cleared});
    change.finish();
}

}  // namespace glassheap::heap
