// heap/update.cpp — a new version of one row (phases: heap/update_state.hpp).
//
// Invariants: heap.U1, heap.U2; HOT: a heap-only version stands on its predecessor's page and no index column
//             differs.
// Locking: page latches in block order, then map pages.
// Errors: may longjmp before the critical section of apply.
// WAL:    RecordType::update or hot_update.
// See:    heap/README.md.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/heap_errors.hpp"
#include "heap/insert_run.hpp"
#include "heap/new_cid.hpp"
#include "heap/new_row.hpp"
#include "heap/placement.hpp"
#include "heap/replica_identity.hpp"
#include "heap/rows.hpp"
#include "heap/update_state.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {
namespace {

// The new version starts with the lockers that outlive the update (only key-share lockers can).
NewXmax inherited_xmax(const Update &update) {
    HeapTupleHeader row = update.old_tuple.t_data;
    const bool gone = update.asked_holders && !update.holders_remain;
    if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || HEAP_LOCKED_UPGRADED(row->t_infomask) || gone)
        return {kInvalidXid, HEAP_XMAX_INVALID, 0};
    NewXmax inherited{HeapTupleHeaderGetRawXmax(row), 0, 0};
    if (!TransactionIdIsValid(inherited.xmax)) {
        inherited.infomask = HEAP_XMAX_INVALID;
    } else if ((row->t_infomask & HEAP_XMAX_IS_MULTI) != 0) {
        multixact_bits(inherited.xmax, &inherited.infomask, &inherited.infomask2);
    } else {
        inherited.infomask = HEAP_XMAX_KEYSHR_LOCK | HEAP_XMAX_LOCK_ONLY;
    }
    return inherited;
}

// The header of a version that `xid` makes.
void start_version(HeapTupleHeader fresh, Xid xid, Cid cid, const NewXmax &inherited) {
    fresh->t_infomask &= static_cast<uint16>(~HEAP_XACT_MASK);
    fresh->t_infomask2 &= static_cast<uint16>(~HEAP2_XACT_MASK);
    HeapTupleHeaderSetXmin(fresh, xid);
    HeapTupleHeaderSetCmin(fresh, cid);
    fresh->t_infomask |= static_cast<uint16>(HEAP_UPDATED | inherited.infomask);
    fresh->t_infomask2 |= inherited.infomask2;
    HeapTupleHeaderSetXmax(fresh, inherited.xmax);
}

// Everything that may fail or create a multixact, before any byte changes.
void prepare_headers(Update *update) {
    const Xid xid = ::GetCurrentTransactionId();
    HeapTupleHeader row = update->old_tuple.t_data;
    update->old_xmax = compute_xmax(Holder::of(row), xid, update->mode, true);
    const NewXmax inherited = inherited_xmax(*update);

    start_version(update->new_tuple->t_data, xid, update->cid, inherited);
    // The plain cid is in the new version already; the old one may need a combination.
    ::HeapTupleHeaderAdjustCmax(row, &update->cid, &update->combo);
}

// heap.U2.  The latch was given up: whoever locked the row beside us keeps it, in both versions.  Those who
// held it before are still among its holders, and so are we, as a locker; the combo cid stands as it is.
void renew_headers(Update *update) {
    HeapTupleHeader row = update->old_tuple.t_data;
    if (update->marked.unchanged(row)) return;
    const Xid xid = ::GetCurrentTransactionId();
    update->old_xmax = compute_xmax(Holder::of(row), xid, update->mode, true);
    // Joining us made it a multixact, and what the wait found out is about others.
    update->asked_holders = false;
    const NewXmax inherited = inherited_xmax(*update);
    const Cid own_cid = HeapTupleHeaderGetRawCommandId(update->new_tuple->t_data);
    start_version(update->new_tuple->t_data, xid, own_cid, inherited);
    if (update->stored != update->new_tuple) start_version(update->stored->t_data, xid, own_cid, inherited);
}

void mark_versions(const Update &update, const buffer::PinnedPage &target, bool hot) noexcept {
    const page::PageEdit old_edit = update.page.edit();
    const SlotNo old_slot = update.old_slot();
    // The caller's copy is marked too: he reads from it whether indexes need entries.
    for (HeapTuple version : {update.stored, update.new_tuple}) {
        if (hot)
            HeapTupleSetHeapOnly(version);
        else
            HeapTupleClearHeapOnly(version);
    }
    old_edit.hint_prunable(::GetCurrentTransactionIdIfAny());
    old_edit.set_hot_updated(old_slot, hot);
    put_row(target.edit(), target.block(), update.stored, false);
    old_edit.mark_xmax(old_slot, update.old_xmax.as_change(update.cid, update.combo));
    old_edit.set_ctid(old_slot, address_of(update.stored->t_self));
}

void log_update(Update *update, const buffer::PinnedPage &target, Buffer cleared_old, Buffer cleared_new,
                HeapTuple old_key) {
    log_command_ids(update->rel, update->old_tuple);
    log_command_ids(update->rel, *update->stored);
    const SlotNo new_slot = ItemPointerGetOffsetNumberNoCheck(&update->stored->t_self);
    const bool only_row = new_slot == kFirstSlot && target.view().max_slot() == kFirstSlot;
    HeapTupleData placed = tuple_at(update->rel, target, new_slot);
    wal::emit_update({.rel = update->rel,
                      .old_page = &update->page,
                      .new_page = &target,
                      .old_tuple = &update->old_tuple,
                      .new_tuple = &placed,
                      .old_mark = update->old_xmax.as_change(update->cid, update->combo),
                      .cleared_vm_old = cleared_old,
                      .cleared_vm_new = cleared_new,
                      .old_key = old_key,
                      .init_page = only_row,
                      .hot = HeapTupleIsHeapOnly(update->stored)});
}

// Both pages, their maps, and the log.
void apply_update(Update *update, bool hot, HeapTuple old_key) {
    const bool same_page = !update->new_page;
    const buffer::PinnedPage &target = same_page ? update->page : update->new_page;
    const Buffer cleared_old = update->page.view().all_visible() ? update->vmbuf : InvalidBuffer;
    const Buffer cleared_new = !same_page && target.view().all_visible() ? update->new_vmbuf : InvalidBuffer;
    vm::VmLock vm_lock(cleared_old, cleared_new);
    buffer::PageChange change;
    change.add(update->page);
    if (!same_page) {
        change.add(target);
        update->page.edit().set_full(true);  // a hint that pruning would pay
    }
    mark_versions(*update, target, hot);
    if (cleared_old != InvalidBuffer) clear_all_visible(update->page, cleared_old);
    if (cleared_new != InvalidBuffer) clear_all_visible(target, cleared_new);
    if (RelationNeedsWAL(update->rel)) log_update(update, target, cleared_old, cleared_new, old_key);
    change.finish();
}

// The change and what stands around it under the latches.  Returns whether it was a HOT update.
bool change_row(Update *update) {
    if (update->let_go) renew_headers(update);
    // About the old version; the check looks at locks on the table as well, which is what the new one needs.
    ::CheckForSerializableConflictIn(update->rel, &update->old_tuple.t_self, update->page.block());
    const bool hot = !update->new_page && !update->changes.indexed;
    bool key_copied;
    HeapTuple old_key =
        old_row_for_log(update->rel, &update->old_tuple,
                        update->changes.identity || update->changes.identity_is_out, &key_copied);
    apply_update(update, hot, old_key);
    if (update->new_page) update->new_page.unlatch();
    update->page.unlatch();
    if (key_copied) ::heap_freetuple(old_key);
    return hot;
}

void release_all(Update *update) {
    update->new_page.release();
    update->page.release();
    release_vm_pin(update->new_vmbuf);
    release_vm_pin(update->vmbuf);
    update->queue.leave();
    update->columns.free_copies();
}

void finish(Update *update, bool hot) {
    // Still pinned: the old version is read here.
    ::CacheInvalidateHeapTuple(update->rel, &update->old_tuple, update->stored);
    release_all(update);
    ::pgstat_count_heap_update(update->rel, hot);
    if (update->stored != update->new_tuple) {
        update->new_tuple->t_self = update->stored->t_self;
        ::heap_freetuple(update->stored);
    }
}

}  // namespace

TM_Result update(Relation rel, ItemPointer otid, HeapTuple new_tuple, Cid cid, Snapshot crosscheck, bool wait,
                 TM_FailureData *tmfd, LockTupleMode *lockmode, pg::StaleIndexes *stale) {
    finish_runs();
    *stale = pg::StaleIndexes::none;
    forbid_in_parallel_mode("update");
    ::GetCurrentTransactionId();     // may allocate: not under a latch
    ::MultiXactIdSetOldestMember();  // even a plain xid may end up in somebody's multixact
    new_tuple->t_tableOid = RelationGetRelid(rel);
    // otid may be the address of new_tuple->t_self, which will change: not to be used after opening.
    Update work{.rel = rel,
                .new_tuple = new_tuple,
                .stored = new_tuple,
                .cid = cid,
                .columns = ColumnSets(rel),
                .queue = RowQueue(rel, *otid)};
    if (!open_for_update(&work, otid)) {
        *tmfd = {};
        tmfd->ctid = *otid;
        tmfd->xmax = kInvalidXid;
        tmfd->cmax = kInvalidCid;
        work.page.unlatch();
        release_all(&work);
        *lockmode = LockTupleExclusive;
        return TM_Deleted;
    }
    *lockmode = work.mode;
    const TM_Result result = decide_update(&work, crosscheck, wait);
    if (result != TM_Ok) {
        describe_failure(result, work.old_tuple.t_data, tmfd);
        work.page.unlatch();
        release_all(&work);
        return result;
    }
    prepare_headers(&work);
    place_new_version(&work);
    const bool hot = change_row(&work);
    finish(&work, hot);
    *stale = hot ? pg::StaleIndexes::none : pg::StaleIndexes::all;
    return TM_Ok;
}

}  // namespace glassheap::heap
