// heap/update_place.cpp — third phase of an update: TOAST, and a page for the new version.
//
// Invariants: heap.U1 of heap/update_state.hpp: while the latch is given up the old row carries our lock, so
//             that others wait instead of changing it.  If we fail after that, the lock dies with our xid.
//             Lockers may join us (heap.U2); update.cpp looks for them when the latch is held again.
// Locking: two page latches in block order (placement).
// Errors: may longjmp.
// WAL:    RecordType::lock for the lock: an xid must not reach disk before some record names it.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "heap/placement.hpp"
#include "heap/update_state.hpp"

namespace glassheap::heap {
namespace {

bool needs_toast(const Update &update) {
    if (!can_have_toast(update.rel)) return false;
    return HeapTupleHasExternal(&update.old_tuple) || HeapTupleHasExternal(update.new_tuple) ||
           update.new_tuple->t_len > TOAST_TUPLE_THRESHOLD;
}

// A multixact that names us as this locker already is handed back as it is (MultiXactIdExpand), with an
// updater that was rolled back: our own, in a subtransaction.
bool nobody_updates(const NewXmax &lock) {
    if (HEAP_XMAX_IS_LOCKED_ONLY(lock.infomask)) return true;
    const Xid updater = multixact_updater(lock.xmax);
    return !::TransactionIdIsInProgress(updater) && !::TransactionIdDidCommit(updater);
}

// The lock is computed apart from the xmax of the update: a multixact would name us as updater there.
void lock_old_version(Update *update) {
    const NewXmax lock =
        compute_xmax(Holder::of(update->old_tuple.t_data), ::GetCurrentTransactionId(), update->mode, false);
    GH_ASSERT(nobody_updates(lock));
    mark_locked(update->rel, update->page, update->old_slot(), lock.as_change(update->cid, update->combo),
                update->vmbuf);
    update->let_go = true;
    update->marked = Holder::of(update->old_tuple.t_data);
}

// Latches the old page if the new version fits there.
bool latch_same_page(Update *update, Size needed) {
    const buffer::PinnedPage &page = update->page;
    if (lacks_vm_pin(page, update->vmbuf)) vm::pin(update->rel, page.block(), &update->vmbuf);
    page.latch_exclusive();
    if (needed <= page.view().free_space_for_tuple() && !lacks_vm_pin(page, update->vmbuf)) return true;
    page.unlatch();
    return false;
}

}  // namespace

void place_new_version(Update *update) {
    Size needed = MAXALIGN(update->new_tuple->t_len);
    Size room = update->page.view().free_space_for_tuple();
    const bool toast = needs_toast(*update);
    if (!toast && needed <= room) [[likely]]
        return;

    lock_old_version(update);
    update->page.unlatch();
    GH_STOP_POINT("heap.old_version_locked");
    if (toast) {
        update->stored = ::heap_toast_insert_or_update(update->rel, update->new_tuple, &update->old_tuple, 0);
        needed = MAXALIGN(update->stored->t_len);
    }
    // Others may have taken or freed space meanwhile.  A page that was too full before is not asked again.
    while (needed <= room) {
        if (latch_same_page(update, needed)) return;
        room = update->page.view().free_space_for_tuple();
    }
    update->new_page = choose_page({.rel = update->rel,
                                    .length = update->stored->t_len,
                                    .other = &update->page,
                                    .vmbuf = &update->new_vmbuf,
                                    .vmbuf_other = &update->vmbuf});
}

}  // namespace glassheap::heap
