// heap/update_find.cpp — first phase of an update: find the row, wait for its holders, decide.
//
// Locking: page latch, given up while waiting.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "heap/heap_errors.hpp"
#include "heap/placement.hpp"
#include "heap/update_state.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {
namespace {

enum class Verdict : std::uint8_t { look_again, may_change, conflict };

// After a wait the page is latched again: is it still the holder we waited for?
bool latch_and_recheck(Update *update, const Holder &holder) {
    update->page.latch_exclusive();
    return holder.unchanged(update->old_tuple.t_data);
}

Verdict settle_multixact(Update *update, const Holder &holder) {
    bool i_am_member = false;
    if (multixact_conflicts(holder, update->mode, &i_am_member)) {
        update->page.unlatch();
        if (!i_am_member) update->queue.join(update->mode, LockWaitBlock);
        GH_STOP_POINT("heap.before_update_wait");
        const int remaining = wait_for_multixact(holder, update_status(update->mode),
                                                 {update->rel, &update->old_tuple.t_self, XLTW_Update});
        update->asked_holders = true;
        update->holders_remain = remaining != 0;
        if (!latch_and_recheck(update, holder)) return Verdict::look_again;
    }
    // Members may well be left: our own, and key-share lockers if we change no key.  They are kept in the new
    // xmax.  Only an updater that did not abort stops us; nobody who conflicts is running any more.
    HeapTupleHeader row = update->old_tuple.t_data;
    if (HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask)) return Verdict::may_change;
    const Xid updater = ::HeapTupleGetUpdateXid(row);
    const bool no_update = !TransactionIdIsValid(updater) || ::TransactionIdDidAbort(updater);
    return no_update ? Verdict::may_change : Verdict::conflict;
}

Verdict settle_plain_xmax(Update *update, const Holder &holder) {
    // Our own lock, or a key-share lock while no key changes: no need to wait, but the lock must live on.
    if (holder.is_me() || (HEAP_XMAX_IS_KEYSHR_LOCKED(holder.infomask) && !update->changes.key)) {
        update->asked_holders = true;
        update->holders_remain = true;
        return Verdict::may_change;
    }
    update->page.unlatch();
    update->queue.join(update->mode, LockWaitBlock);
    GH_STOP_POINT("heap.before_update_wait");
    ::XactLockTableWait(holder.xmax, update->rel, &update->old_tuple.t_self, XLTW_Update);
    update->asked_holders = true;
    if (!latch_and_recheck(update, holder)) return Verdict::look_again;
    HeapTupleHeader row = update->old_tuple.t_data;
    note_xmax_ended(row, update->page, holder.xmax);
    return (row->t_infomask & HEAP_XMAX_INVALID) != 0 ? Verdict::may_change : Verdict::conflict;
}

// One look at the row, with a wait if somebody holds it.  *again: look once more.
TM_Result look(Update *update, bool wait, bool *again) {
    *again = false;
    update->asked_holders = false;
    update->holders_remain = false;
    const TM_Result result = mvcc::satisfies_update(&update->old_tuple, update->cid, &update->page);
    if (result == TM_Invisible) {
        update->page.unlatch();
        report_invisible("update");
    }
    if (result != TM_BeingModified || !wait) return result;
    const Holder holder = Holder::of(update->old_tuple.t_data);
    const Verdict verdict =
        holder.is_multi() ? settle_multixact(update, holder) : settle_plain_xmax(update, holder);
    if (verdict == Verdict::may_change) return TM_Ok;
    *again = verdict == Verdict::look_again;
    return changed_by_other(&update->old_tuple);
}

}  // namespace

bool open_for_update(Update *update, ItemPointer otid) {
    update->columns.fetch();
    update->page = buffer::read_page(update->rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(otid));
    pin_vm_if_visible(update->rel, update->page, &update->vmbuf);
    update->page.latch_exclusive();
    while (!update->columns.ready()) [[unlikely]] {
            update->page.unlatch();
            update->columns.fetch();
            update->page.latch_exclusive();
        }
    const SlotNo slot = ItemPointerGetOffsetNumber(otid);
    if (!is_normal_slot(update->page.view(), slot)) return false;
    point_at(&update->old_tuple, update->rel, update->page, slot);

    update->changes = update->columns.compare(&update->old_tuple, update->new_tuple);
    update->mode = update->changes.key ? LockTupleExclusive : LockTupleNoKeyExclusive;
    return true;
}

TM_Result decide_update(Update *update, Snapshot crosscheck, bool wait) {
    for (;;) {
        bool again;
        TM_Result result = look(update, wait, &again);
        if (again) continue;
        if (result == TM_Ok && crosscheck != InvalidSnapshot &&
            !mvcc::satisfies(&update->old_tuple, crosscheck, &update->page))
            result = TM_Updated;  // referential integrity in a transaction snapshot
        if (result != TM_Ok || !lacks_vm_pin(update->page, update->vmbuf)) return result;
        pin_vm_unlatched(update->rel, update->page, &update->vmbuf);
    }
}

}  // namespace glassheap::heap
