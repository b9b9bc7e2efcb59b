// heap/fetch.cpp — one version of a row by its address; HOT chains; update chains.
//
// Invariants: a chain link is followed only to a version whose xmin is the xmax of the version before.
// Locking: share latches; none on return.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/fetch.hpp"

#include "heap/chain_watch.hpp"
#include "heap/insert_run.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_old_snapshot.hpp"

namespace glassheap::heap {
namespace {

bool links_to(Xid expected_xmin, HeapTupleHeader row) {
    return !TransactionIdIsValid(expected_xmin) || expected_xmin == HeapTupleHeaderGetXmin(row);
}

// Visible?  Reported to conflict detection either way; a visible version is locked for it.
bool visible_for(Relation rel, HeapTuple tuple, const buffer::PinnedPage &page, Snapshot snapshot) {
    const bool visible = mvcc::satisfies(tuple, snapshot, &page);
    mvcc::check_serializable_read(visible, rel, tuple, &page, snapshot);
    return visible;
}

// Does the page say anything of the row?  An index entry is never older than its line pointer, and goes
// before it is unused: if there is none, the page is older than the entry (outdated, noticed or not).
bool tells_of(page::PageView view, SlotNo slot) noexcept {
    return slot >= kFirstSlot && slot <= view.max_slot() && view.line(slot).is_used();
}

}  // namespace

bool fetch(Relation rel, Snapshot snapshot, HeapTuple tuple, buffer::PinnedPage *page, bool keep_invisible) {
    finish_runs();
    const ItemPointerData tid = tuple->t_self;
    *page = buffer::read_page(rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(&tid));
    page->latch_share();
    pg::check_snapshot_age(snapshot, rel, page->data());
    // Vacuum may have been here since the address was taken.
    const SlotNo slot = ItemPointerGetOffsetNumber(&tid);
    if (!is_normal_slot(page->view(), slot)) {
        page->unlatch();
        page->release();
        tuple->t_data = nullptr;
        return false;
    }
    point_at(tuple, rel, *page, slot);
    const bool visible = mvcc::satisfies(tuple, snapshot, page);
    if (visible) ::PredicateLockTID(rel, &tuple->t_self, snapshot, HeapTupleHeaderGetXmin(tuple->t_data));
    mvcc::check_serializable_read(visible, rel, tuple, page, snapshot);
    page->unlatch();
    if (!visible && !keep_invisible) {
        page->release();
        tuple->t_data = nullptr;
    }
    return visible;
}

bool hot_search(Relation rel, ItemPointer tid, const buffer::PinnedPage &page, Snapshot snapshot,
                HeapTuple tuple, bool *all_dead, bool first_call) {
    const page::PageView view = page.view();
    GlobalVisState *vistest = nullptr;
    Xid expected_xmin = kInvalidXid;
    SlotNo slot = ItemPointerGetOffsetNumber(tid);
    bool at_start = first_call;
    bool skip = !first_call;  // a later call starts at the member that the one before returned
    bool dead = first_call && all_dead != nullptr;
    bool found = false;
    int steps_left = view.max_slot();  // no chain is longer

    while (slot >= kFirstSlot && slot <= view.max_slot()) {
        const page::LinePointer line = view.line(slot);
        if (line.is_redirect() && at_start) {
            slot = line.redirect_to();
            at_start = false;
            continue;
        }
        if (!line.is_normal()) break;
        // Conflict detection and historic snapshots look at t_self.
        point_at(tuple, rel, page, slot);
        if (at_start && HeapTupleIsHeapOnly(tuple)) {
            dead = false;  // no entry leads to one: this page is older than the entry, too
            break;
        }
        if (!links_to(expected_xmin, tuple->t_data)) break;
        if (!skip && visible_for(rel, tuple, page, snapshot)) {
            found = true;
            break;
        }
        skip = false;
        if (dead) {
            if (vistest == nullptr) vistest = ::GlobalVisTestFor(rel);
            dead = mvcc::is_surely_dead(tuple, vistest);
        }
        if (!HeapTupleIsHotUpdated(tuple)) break;
        if (--steps_left < 0) [[unlikely]]
            report_circle(rel, tuple->t_self);
        slot = ItemPointerGetOffsetNumber(&tuple->t_data->t_ctid);
        at_start = false;
        expected_xmin = HeapTupleHeaderGetUpdateXid(tuple->t_data);
    }
    // A page that is not outdated now stays in the pool while it is latched: nothing is in another frame.
    if (all_dead != nullptr) *all_dead = dead && !found && tells_of(view, slot) && page.is_usable();
    if (!found) return false;
    ItemPointerSetOffsetNumber(tid, slot);
    ::PredicateLockTID(rel, &tuple->t_self, snapshot, HeapTupleHeaderGetXmin(tuple->t_data));
    return true;
}

namespace {

// Looks at one version of the chain; false: there is no further one.  *newest is moved if it is visible.
bool follow_chain(Relation rel, Snapshot snapshot, ItemPointerData *ctid, Xid *expected_xmin,
                  ItemPointer newest) {
    const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, ItemPointerGetBlockNumber(ctid));
    const buffer::ShareLatch latch(page);
    pg::check_snapshot_age(snapshot, rel, page.data());
    const SlotNo slot = ItemPointerGetOffsetNumber(ctid);
    if (!is_normal_slot(page.view(), slot)) return false;
    HeapTupleData tuple = tuple_at(rel, page, slot);
    HeapTupleHeader row = tuple.t_data;
    if (!links_to(*expected_xmin, row)) return false;
    if (visible_for(rel, &tuple, page, snapshot)) *newest = *ctid;
    if ((row->t_infomask & HEAP_XMAX_INVALID) != 0 || mvcc::is_only_locked(row) ||
        HeapTupleHeaderIndicatesMovedPartitions(row) || ::ItemPointerEquals(&tuple.t_self, &row->t_ctid))
        return false;
    *ctid = row->t_ctid;
    *expected_xmin = HeapTupleHeaderGetUpdateXid(row);
    return true;
}

}  // namespace

void latest_tid(Relation rel, Snapshot snapshot, ItemPointer tid) {
    finish_runs();
    ItemPointerData ctid = *tid;
    Xid expected_xmin = kInvalidXid;
    ChainWatch watch;
    while (follow_chain(rel, snapshot, &ctid, &expected_xmin, tid)) watch.arrive(rel, ctid, expected_xmin);
}

namespace {

// Enters `root` for every member of the chain that starts at `slot`.
void enter_chain(page::PageView view, SlotNo root, SlotNo slot, Xid expected_xmin, SlotNo *root_slots) {
    // A damaged chain may be a circle: no chain is longer than the page.
    for (int steps = 0; steps < page::kMaxTuplesPerPage; ++steps) {
        // The array of line pointers may have been cut off behind a chain that aborted.
        if (!is_normal_slot(view, slot) || slot > page::kMaxTuplesPerPage) return;
        auto *row = const_cast<HeapTupleHeader>(
            reinterpret_cast<const HeapTupleHeaderData *>(view.tuple_bytes(slot)));
        if (!links_to(expected_xmin, row)) return;
        root_slots[slot - 1] = root;
        if (!HeapTupleHeaderIsHotUpdated(row)) return;
        slot = ItemPointerGetOffsetNumber(&row->t_ctid);
        expected_xmin = HeapTupleHeaderGetUpdateXid(row);
    }
}

}  // namespace

void root_slots(page::PageView view, SlotNo *root_slots) {
    std::fill_n(root_slots, page::kMaxTuplesPerPage, kInvalidSlot);
    const SlotNo max_slot = std::min<SlotNo>(view.max_slot(), page::kMaxTuplesPerPage);
    for (SlotNo slot = kFirstSlot; slot <= max_slot; ++slot) {
        const page::LinePointer line = view.line(slot);
        if (line.is_redirect()) {
            // Index entries point to the redirect, but it holds no row itself.
            enter_chain(view, slot, line.redirect_to(), kInvalidXid, root_slots);
        } else if (line.is_normal()) {
            const page::TupleHead &head = view.tuple(slot);
            if ((head.infomask2 & page::kHeapOnly) != 0) continue;
            // Mostly a version that stands alone.
            if ((head.infomask2 & page::kHotUpdated) == 0)
                root_slots[slot - 1] = slot;
            else
                enter_chain(view, slot, slot, kInvalidXid, root_slots);
        }
    }
}

}  // namespace glassheap::heap
