// heap/lock_row_chain.cpp — locking the later versions of an updated row.
//
// Why:    a KEY SHARE lock on an old version must keep the newest version from losing its key.
// Invariants: the chain ends where xmin of a version is not the updater of the one before, or aborted.
//             No place in the row queue is taken here: several walkers of one chain are rare, and starvation
//             would need a snapshot older than the update in READ COMMITTED.
// Locking: one page latch at a time, none while waiting.
// Errors: may longjmp.
// WAL:    RecordType::lock per version.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/chain_watch.hpp"
#include "heap/fetch.hpp"
#include "heap/lock_row.hpp"
#include "heap/placement.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {
namespace {

// What one holder of a later version means for our lock.
enum class Member : std::uint8_t { harmless, mine, wait, refuse };

Member judge(MultiXactStatus held, Xid xid, LockTupleMode mode) {
    // Ours from an earlier pass over the chain: nothing more to do for this version.
    if (::TransactionIdIsCurrentTransactionId(xid)) return Member::mine;
    const bool conflict = statuses_conflict(held, lock_status(mode));
    // "In progress" is asked before "committed" (PG: heapam_visibility.c).
    if (::TransactionIdIsInProgress(xid)) return conflict ? Member::wait : Member::harmless;
    // Locks end with their transaction, updates persist.
    if (!conflict || !ISUPDATE_from_mxstatus(held)) return Member::harmless;
    return ::TransactionIdDidCommit(xid) ? Member::refuse : Member::harmless;
}

// The first holder that is not harmless; *xid is his.
Member judge_holders(const Holder &holder, LockTupleMode mode, Xid *xid) {
    if ((holder.infomask & HEAP_XMAX_INVALID) != 0) return Member::harmless;
    if (!holder.is_multi()) {
        MultiXactStatus status;
        if (!status_of_plain_xmax(holder.infomask, holder.infomask2, &status))
            elog(ERROR, "invalid lock status in tuple");
        *xid = holder.xmax;
        return judge(status, holder.xmax, mode);
    }
    MultiXactMember *members;
    const int count = ::GetMultiXactIdMembers(holder.xmax, &members, false, holder.only_locks());
    Member verdict = Member::harmless;
    for (int i = 0; i < count && verdict == Member::harmless; ++i) {
        *xid = members[i].xid;
        verdict = judge(members[i].status, members[i].xid, mode);
    }
    if (count > 0) ::pfree(members);
    return verdict;
}

enum class Version : std::uint8_t { locked, chain_ended, look_again, refused };

struct Walk {
    Relation rel;
    LockTupleMode mode;
    Xid expected_xmin;  // the updater of the version before
    Buffer vmbuf;
    TM_Result result;
};

void latch_with_vm(Walk *walk, const buffer::PinnedPage &page) {
    pin_vm_if_visible(walk->rel, page, &walk->vmbuf);
    page.latch_exclusive();
    while (page.view().all_visible() && !vm::pin_covers(page.block(), walk->vmbuf)) {
        page.unlatch();
        vm::pin(walk->rel, page.block(), &walk->vmbuf);
        page.latch_exclusive();
    }
}

// Latched on entry; on exit as well, but for look_again (it waited).
Version lock_version(Walk *walk, const buffer::PinnedPage &page, HeapTuple tuple) {
    HeapTupleHeader row = tuple->t_data;
    const Xid xmin = HeapTupleHeaderGetXmin(row);
    if (TransactionIdIsValid(walk->expected_xmin) && xmin != walk->expected_xmin) return Version::chain_ended;
    // By a (sub)transaction that failed: the version before was the last one that lives.
    if (mvcc::has_failed(xmin)) return Version::chain_ended;

    const Holder holder = Holder::of(row);
    Xid xid = kInvalidXid;
    switch (judge_holders(holder, walk->mode, &xid)) {
        case Member::mine:
            return Version::locked;
        case Member::wait:
            page.unlatch();
            ::XactLockTableWait(xid, walk->rel, &tuple->t_self, XLTW_LockUpdated);
            return Version::look_again;
        case Member::refuse:
            walk->result = changed_by_other(tuple);
            return Version::refused;
        case Member::harmless:
            break;
    }
    const NewXmax xmax = compute_xmax(holder, ::GetCurrentTransactionId(), walk->mode, false);
    mark_locked(walk->rel, page, ItemPointerGetOffsetNumber(&tuple->t_self), xmax.as_lock(), walk->vmbuf);
    return Version::locked;
}

// Moves *next to the following version; false at the end of the chain.  Latched.
bool step(Walk *walk, HeapTuple tuple, ItemPointerData *next) {
    HeapTupleHeader row = tuple->t_data;
    if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || HeapTupleHeaderIndicatesMovedPartitions(row) ||
        ::ItemPointerEquals(&tuple->t_self, &row->t_ctid) || mvcc::is_only_locked(row))
        return false;
    walk->expected_xmin = HeapTupleHeaderGetUpdateXid(row);
    *next = row->t_ctid;
    return true;
}

// Locks the version at *next and moves on; false when the walk is over.
bool visit(Walk *walk, ItemPointerData *next) {
    HeapTupleData tuple;
    buffer::PinnedPage page;
    tuple.t_self = *next;
    // Not there: pruned away after its creator aborted, so the end of the chain.
    if (!fetch(walk->rel, SnapshotAny, &tuple, &page, false)) return false;
    Version version;
    do {
        CHECK_FOR_INTERRUPTS();
        latch_with_vm(walk, page);
        version = lock_version(walk, page, &tuple);
    } while (version == Version::look_again);
    const bool more = version == Version::locked && step(walk, &tuple, next);
    page.unlatch();
    return more;
}

}  // namespace

TM_Result lock_later_versions(Relation rel, const Holder &holder, const ItemPointerData &next,
                              LockTupleMode mode) {
    // Moved to another partition: deleted here, nothing to follow.
    if (ItemPointerIndicatesMovedPartitions(&next)) return TM_Ok;
    ::MultiXactIdSetOldestMember();
    const Xid updater = holder.is_multi() ? multixact_updater(holder.xmax) : holder.xmax;
    Walk walk{.rel = rel, .mode = mode, .expected_xmin = updater, .vmbuf = InvalidBuffer, .result = TM_Ok};
    ItemPointerData tid = next;
    ChainWatch watch;
    while (visit(&walk, &tid)) watch.arrive(rel, tid, walk.expected_xmin);
    release_vm_pin(walk.vmbuf);
    return walk.result;
}

}  // namespace glassheap::heap
