// heap/remove.cpp — delete one row, in phases: find and decide -> apply -> finish.
//
// Invariants: between the decision and the change the page latch is not given up.
// Locking: page latch; never while waiting for another transaction.
// Errors: may longjmp before the critical section.
// WAL:    RecordType::remove.
// See:    heap/README.md; heap/xmax.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "heap/heap_errors.hpp"
#include "heap/insert_run.hpp"
#include "heap/new_cid.hpp"
#include "heap/placement.hpp"
#include "heap/replica_identity.hpp"
#include "heap/row_access.hpp"
#include "heap/rows.hpp"
#include "heap/xmax.hpp"
#include "mvcc/visibility.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {
namespace {

struct Removal {
    Relation rel;
    Cid cid;
    bool partition_move;
    buffer::PinnedPage page{};
    Buffer vmbuf = InvalidBuffer;
    HeapTupleData tuple{};  // points into the page
    RowQueue queue;

    SlotNo slot() const noexcept { return ItemPointerGetOffsetNumberNoCheck(&tuple.t_self); }
};

// Pins, latches and points removal->tuple at the row.
void open_row(Removal *removal, ItemPointer tid) {
    removal->page = buffer::read_page(removal->rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(tid));
    pin_vm_if_visible(removal->rel, removal->page, &removal->vmbuf);
    removal->page.latch_exclusive();
    const SlotNo slot = ItemPointerGetOffsetNumber(tid);
    if (!is_normal_slot(removal->page.view(), slot)) [[unlikely]]
        report_no_such_row(removal->rel, *tid);
    point_at(&removal->tuple, removal->rel, removal->page, slot);
}

// Waits for those who hold the row.  False: something changed, look at the row again.
bool wait_for_holder(Removal *removal, const Holder &holder) {
    const WaitReason reason{removal->rel, &removal->tuple.t_self, XLTW_Delete};
    if (holder.is_multi()) {
        bool i_am_member = false;
        if (!multixact_conflicts(holder, LockTupleExclusive, &i_am_member)) return true;
        removal->page.unlatch();
        // Who already holds a lock must not queue behind those who wait for him.
        if (!i_am_member) removal->queue.join(LockTupleExclusive, LockWaitBlock);
        GH_STOP_POINT("heap.before_delete_wait");
        wait_for_multixact(holder, MultiXactStatusUpdate, reason);
    } else {
        if (holder.is_me()) return true;
        removal->page.unlatch();
        removal->queue.join(LockTupleExclusive, LockWaitBlock);
        GH_STOP_POINT("heap.before_delete_wait");
        ::XactLockTableWait(holder.xmax, reason.rel, reason.tid, reason.oper);
    }
    removal->page.latch_exclusive();
    if (lacks_vm_pin(removal->page, removal->vmbuf) || !holder.unchanged(removal->tuple.t_data)) return false;
    if (!holder.is_multi()) note_xmax_ended(removal->tuple.t_data, removal->page, holder.xmax);
    return true;
}

// May the row be deleted?  Latched on entry and exit; waits in between if it must.
TM_Result decide(Removal *removal, bool wait) {
    for (;;) {
        if (lacks_vm_pin(removal->page, removal->vmbuf))
            pin_vm_unlatched(removal->rel, removal->page, &removal->vmbuf);
        const TM_Result result = mvcc::satisfies_update(&removal->tuple, removal->cid, &removal->page);
        if (result == TM_Invisible) {
            removal->page.unlatch();
            report_invisible("delete");
        }
        if (result != TM_BeingModified || !wait) return result;
        HeapTupleHeader row = removal->tuple.t_data;
        if (!wait_for_holder(removal, Holder::of(row))) continue;
        if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || mvcc::is_only_locked(row)) return TM_Ok;
        return changed_by_other(&removal->tuple);
    }
}

void apply_remove(Removal *removal, const page::XmaxMark &mark, HeapTuple old_key) {
    const buffer::PinnedPage &page = removal->page;
    const SlotNo slot = removal->slot();
    const Buffer cleared = page.view().all_visible() ? removal->vmbuf : InvalidBuffer;
    vm::VmLock vm_lock(cleared);
    buffer::PageChange change;
    change.add(page);
    const page::PageEdit edit = page.edit();
    // Dead sooner or later if we commit; if we do not, pruning finds nothing and drops the hint.
    edit.hint_prunable(::GetCurrentTransactionIdIfAny());
    if (cleared != InvalidBuffer) clear_all_visible(page, removal->vmbuf);
    edit.mark_xmax(slot, mark);
    edit.set_hot_updated(slot, false);
    edit.set_ctid(slot, page::RowAddress::make(page.block(), slot));
    if (removal->partition_move) HeapTupleHeaderSetMovedPartitions(removal->tuple.t_data);
    if (RelationNeedsWAL(removal->rel)) {
        log_command_ids(removal->rel, removal->tuple);
        wal::emit_remove({.rel = removal->rel,
                          .page = &page,
                          .slot = slot,
                          .mark = mark,
                          .cleared_vm = cleared,
                          .old_key = old_key,
                          .partition_move = removal->partition_move});
    }
    change.finish();
}

void change_row(Removal *removal) {
    HeapTupleHeader row = removal->tuple.t_data;
    // Under the latch until the row is changed, so that no serializable reader slips in between.
    ::CheckForSerializableConflictIn(removal->rel, &removal->tuple.t_self, removal->page.block());
    bool combo;
    ::HeapTupleHeaderAdjustCmax(row, &removal->cid, &combo);
    bool key_copied;
    HeapTuple old_key = old_row_for_log(removal->rel, &removal->tuple, true, &key_copied);
    // Even a plain xid of ours may become a member of somebody's multixact right after.
    ::MultiXactIdSetOldestMember();
    const NewXmax xmax = compute_xmax(Holder::of(row), ::GetCurrentTransactionId(), LockTupleExclusive, true);
    apply_remove(removal, xmax.as_change(removal->cid, combo), old_key);
    removal->page.unlatch();
    if (key_copied) ::heap_freetuple(old_key);
}

}  // namespace

TM_Result remove(Relation rel, ItemPointer tid, Cid cid, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
                 bool changing_partition) {
    finish_runs();
    forbid_in_parallel_mode("delete");
    ::GetCurrentTransactionId();  // may allocate: not under a latch
    Removal removal{
        .rel = rel, .cid = cid, .partition_move = changing_partition, .queue = RowQueue(rel, *tid)};
    open_row(&removal, tid);
    TM_Result result = decide(&removal, wait);
    if (result == TM_Ok && crosscheck != InvalidSnapshot &&
        !mvcc::satisfies(&removal.tuple, crosscheck, &removal.page))
        result = TM_Updated;  // referential integrity in a transaction snapshot
    if (result != TM_Ok) {
        describe_failure(result, removal.tuple.t_data, tmfd);
        removal.page.unlatch();
    } else {
        change_row(&removal);
        // The row's bytes are safe under the pin.
        if (can_have_toast(rel) && HeapTupleHasExternal(&removal.tuple))
            ::heap_toast_delete(rel, &removal.tuple, false);
        ::CacheInvalidateHeapTuple(rel, &removal.tuple, nullptr);
    }
    removal.page.release();
    release_vm_pin(removal.vmbuf);
    removal.queue.leave();
    if (result == TM_Ok) ::pgstat_count_heap_delete(rel);
    return result;
}

}  // namespace glassheap::heap
