// heap/lock_row.cpp — lock one row (SELECT FOR ..., foreign keys, ON CONFLICT, triggers).
//
// Locking: see heap/lock_row.hpp.
// Errors: may longjmp; 55P03 with NOWAIT.
// WAL:    RecordType::lock: the xid or multixact written may never have been on disk before.
// See:    heap/README.md; PG: access/heap/README.tuplock.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/lock_row.hpp"

#include "heap/heap_errors.hpp"
#include "heap/insert_run.hpp"
#include "heap/placement.hpp"
#include "heap/rows.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {
namespace {

void open_row(RowLock *lock, const ItemPointerData &tid) {
    lock->page = buffer::read_page(lock->rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(&tid));
    pin_vm_if_visible(lock->rel, lock->page, &lock->vmbuf);
    lock->page.latch_exclusive();
    const SlotNo slot = ItemPointerGetOffsetNumber(&tid);
    if (!is_normal_slot(lock->page.view(), slot)) [[unlikely]]
        report_no_such_row(lock->rel, tid);
    point_at(&lock->tuple, lock->rel, lock->page, slot);
    require_within_page(lock->rel, lock->tuple, lock->page);  // copy_out: before anything is marked
}

void mark(RowLock *lock) {
    // Even a plain xid of ours may become a member of somebody's multixact right after.
    ::MultiXactIdSetOldestMember();
    // Not before: who asks and gets nothing (SKIP LOCKED, NOWAIT, a row already ours) needs no transaction
    // id.
    const NewXmax xmax =
        compute_xmax(Holder::of(lock->tuple.t_data), ::GetCurrentTransactionId(), lock->mode, false);
    // The cmax is left alone: a lock needs none, and an updated version still needs its own.
    mark_locked(lock->rel, lock->page, lock->slot(), xmax.as_lock(), lock->vmbuf);
}

// Returns the result with the page latched, or TM_Ok with *have_it and no latch.
TM_Result acquire(RowLock *lock, TM_FailureData *tmfd, bool *have_it) {
    *have_it = false;
    for (;;) {
        TM_Result result = mvcc::satisfies_update(&lock->tuple, lock->cid, &lock->page);
        // Invisible rows are met by ON CONFLICT only, whose caller has a better message.
        if (result == TM_Invisible) return result;
        if (result == TM_BeingModified || result == TM_Updated || result == TM_Deleted) {
            const Settled settled = settle(lock, &result);
            if (settled == Settled::look_again) continue;
            *have_it = settled == Settled::have_it;
            if (settled == Settled::have_it || settled == Settled::grant) result = TM_Ok;
            if (*have_it) return result;
        }
        if (result != TM_Ok) {
            describe_failure(result, lock->tuple.t_data, tmfd);
            return result;
        }
        if (lock->vmbuf != InvalidBuffer || !lock->page.view().all_visible()) break;
        // The page became all-visible while we were not looking; the map page is not read under the latch.
        lock->page.unlatch();
        vm::pin(lock->rel, lock->page.block(), &lock->vmbuf);
        lock->page.latch_exclusive();
    }
    mark(lock);
    return TM_Ok;
}

// Visible bytes do not change under a pin; header fields may, as in any other read.
void copy_out(const HeapTupleData &source, HeapTuple target) {
    *target = source;
    target->t_data = static_cast<HeapTupleHeader>(::palloc(source.t_len));
    std::memcpy(target->t_data, source.t_data, source.t_len);
}

}  // namespace

TM_Result lock_row(Relation rel, HeapTuple tuple, Cid cid, LockTupleMode mode, LockWaitPolicy wait_policy,
                   bool follow_updates, TM_FailureData *tmfd) {
    finish_runs();
    RowLock lock{.rel = rel,
                 .cid = cid,
                 .mode = mode,
                 .policy = wait_policy,
                 .follow_updates = follow_updates,
                 .queue = RowQueue(rel, tuple->t_self)};
    const ItemPointerData tid = tuple->t_self;
    tuple->t_data = nullptr;
    open_row(&lock, tid);
    bool have_it;
    const TM_Result result = acquire(&lock, tmfd, &have_it);
    if (!have_it) lock.page.unlatch();
    copy_out(lock.tuple, tuple);
    lock.page.release();
    release_vm_pin(lock.vmbuf);
    // Marked in the row, the lock does not need the queue any more.
    lock.queue.leave();
    return result;
}

}  // namespace glassheap::heap
