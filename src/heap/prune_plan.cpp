// heap/prune_plan.cpp — judging the tuples of a page and walking its HOT chains.
//
// Errors: may longjmp in transaction look-ups.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/prune_plan.hpp"

#include "base/xid_order.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {

PrunePlan::PrunePlan(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request) noexcept
    : rel_(rel),
      page_(page),
      view_(page.view()),
      request_(request),
      last_slot_(view_.max_slot()),
      old_snapshot_(request.old_snapshot) {
    GH_ASSERT(last_slot_ <= page::kMaxTuplesPerPage);
    std::memset(after_, 0, sizeof after_);
}

void PrunePlan::at_slot(SlotNo slot) const noexcept {
    if (request_.slot_in_work != nullptr) *request_.slot_in_work = slot;
}

HeapTupleHeader PrunePlan::header(SlotNo slot) const noexcept {
    return header_at(page_, slot);
}

// ---- judging

void PrunePlan::judge() {
    // Backwards: later slots usually lie at lower addresses, and memory likes to be read upwards.
    for (SlotNo slot = last_slot_; slot >= 1; --slot) {
        if (!view_.line(slot).is_normal()) continue;
        if (is_plainly_live(header(slot))) {
            fate_[slot] = HEAPTUPLE_LIVE;
            continue;
        }
        at_slot(slot);
        fate_[slot] = static_cast<std::int8_t>(judge_tuple(slot));
    }
    at_slot(kInvalidSlot);
}

// Most tuples have nobody who deleted or locked them, and the inserter of their neighbour: nobody need be
// asked twice on a page.  The hint goes straight to the tuple: the latch is ours alone, and the page was
// marked dirty when the neighbour got its hint.
bool PrunePlan::is_plainly_live(HeapTupleHeader tuple) const noexcept {
    const std::uint16_t mask = tuple->t_infomask;
    if ((mask & page::kXmaxInvalid) == 0) return false;
    if ((mask & page::kXminCommitted) != 0) return true;
    if ((mask & (page::kXminInvalid | page::kMoved)) != 0) return false;
    if (HeapTupleHeaderGetRawXmin(tuple) != hinted_xmin_) return false;
    tuple->t_infomask = static_cast<std::uint16_t>(mask | page::kXminCommitted);
    return true;
}

HTSV_Result PrunePlan::judge_tuple(SlotNo slot) {
    HeapTupleData tuple = tuple_at(rel_, page_, slot);
    const bool had_hint = HeapTupleHeaderXminCommitted(tuple.t_data);
    Xid dead_after;
    const HTSV_Result result = mvcc::satisfies_vacuum_horizon(&tuple, &page_, &dead_after);
    if (!had_hint && HeapTupleHeaderXminCommitted(tuple.t_data))
        hinted_xmin_ = HeapTupleHeaderGetRawXmin(tuple.t_data);
    if (result != HEAPTUPLE_RECENTLY_DEAD) return result;
    return is_removable(dead_after) ? HEAPTUPLE_DEAD : HEAPTUPLE_RECENTLY_DEAD;
}

bool PrunePlan::is_removable(Xid dead_after) {
    // Once the old-snapshot limit was used for one tuple, it decides about all that follow.
    if (old_snapshot_used_) return xid_precedes(dead_after, old_snapshot_.xmin);
    // Vacuum freezes by its fixed horizon, so it must remove by that horizon at least.
    if (TransactionIdIsValid(request_.oldest_xmin) && xid_precedes(dead_after, request_.oldest_xmin))
        return true;
    if (request_.vistest != nullptr && ::GlobalVisTestIsRemovableXid(request_.vistest, dead_after))
        return true;
    return pg::old_snapshots_may_fail() && is_removable_by_old_snapshot(dead_after);
}

// pg/pg_old_snapshot: readers with older snapshots will get an error instead of these rows.
bool PrunePlan::is_removable_by_old_snapshot(Xid dead_after) {
    if (!TransactionIdIsValid(old_snapshot_.xmin)) {
        if (request_.vistest == nullptr) return false;
        pg::limit_for_old_snapshots(request_.vistest, rel_, &old_snapshot_);
        if (!TransactionIdIsValid(old_snapshot_.xmin)) return false;
    }
    if (!xid_precedes(dead_after, old_snapshot_.xmin)) return false;
    pg::note_old_snapshot_limit_used(old_snapshot_);
    old_snapshot_used_ = true;
    return true;
}

// ---- walking

void PrunePlan::walk() {
    for (SlotNo slot = 1; slot <= last_slot_; ++slot) {
        if (after_[slot] != After::untouched) continue;  // part of an earlier chain
        const page::LinePointer line = view_.line(slot);
        if (line.is_normal() ? has_no_past(slot) : !line.is_redirect()) continue;
        if (line.is_redirect() && continues_at(line.redirect_to()) && has_no_past(line.redirect_to()))
            continue;
        at_slot(slot);
        walk_from(slot);
    }
    at_slot(kInvalidSlot);
}

void PrunePlan::walk_from(SlotNo root) {
    if (view_.line(root).is_normal() && HeapTupleHeaderIsHeapOnly(header(root))) {
        take_lone_heap_only(root);
        return;
    }
    Chain chain;
    collect(root, &chain);
    if (chain.dead > 0) {
        cut(root, chain);
    } else if (chain.members.size() < 2 && view_.line(root).is_redirect()) {
        // Its only member was removed before, as a dead tuple without a chain.
        set_dead(root);
    }
}

// A dead heap-only tuple that leads nowhere needs no chain to be found: an aborted HOT update may have been
// cut off when its parent was updated again.
bool PrunePlan::take_lone_heap_only(SlotNo slot) {
    if (fate(slot) != HEAPTUPLE_DEAD || HeapTupleHeaderIsHotUpdated(header(slot))) return false;
    set_unused(slot);
    mvcc::advance_latest_removed_xid(header(slot), &latest_removed_xid_);
    ++removed_;
    return true;
}

// Most chains of a page are such a version alone, with or without a redirect, and nothing becomes of them.
bool PrunePlan::has_no_past(SlotNo first) const noexcept {
    return fate(first) == HEAPTUPLE_LIVE || fate(first) == HEAPTUPLE_INSERT_IN_PROGRESS;
}

// A line pointer where a chain may go on: on the page, not claimed by another chain, and holding a tuple.
bool PrunePlan::continues_at(SlotNo slot) const noexcept {
    // A slot past the end was cut off when it was unused.
    if (slot == kInvalidSlot || slot > last_slot_ || after_[slot] != After::untouched) return false;
    return view_.line(slot).is_normal();
}

void PrunePlan::collect(SlotNo root, Chain *chain) {
    SlotNo slot = root;
    if (view_.line(root).is_redirect()) {
        chain->members.push_back(root);
        slot = view_.line(root).redirect_to();
    }
    Xid prior_xmax = kInvalidXid;
    const Xid removed_before = latest_removed_xid_;
    while (continues_at(slot)) {
        HeapTupleHeader tuple = header(slot);
        // The successor was inserted by who updated the version before; else the slot was used anew.
        if (TransactionIdIsValid(prior_xmax) && HeapTupleHeaderGetXmin(tuple) != prior_xmax) return;
        // Longer than the page: a circle (damage).  Nothing of it is touched; VACUUM finds dead tuples left.
        if (chain->members.size() == last_slot_) {
            chain->dead = 0;
            latest_removed_xid_ = removed_before;
            return;
        }
        if (!enter_member(slot, chain) || !HeapTupleHeaderIsHotUpdated(tuple)) return;
        prior_xmax = HeapTupleHeaderGetUpdateXid(tuple);
        slot = ItemPointerGetOffsetNumberNoCheck(&tuple->t_ctid);
    }
}

// False: nothing behind this member can be dead.
bool PrunePlan::enter_member(SlotNo slot, Chain *chain) {
    HeapTupleHeader tuple = header(slot);
    chain->members.push_back(slot);
    switch (fate(slot)) {
        case HEAPTUPLE_DEAD:
            chain->dead = chain->members.size();
            mvcc::advance_latest_removed_xid(tuple, &latest_removed_xid_);
            return true;
        case HEAPTUPLE_RECENTLY_DEAD:
            note_prunable(HeapTupleHeaderGetUpdateXid(tuple));
            return true;
        case HEAPTUPLE_DELETE_IN_PROGRESS:
            note_prunable(HeapTupleHeaderGetUpdateXid(tuple));
            return false;
        case HEAPTUPLE_LIVE:
        case HEAPTUPLE_INSERT_IN_PROGRESS:
            return false;
    }
    return false;
}

void PrunePlan::cut(SlotNo root, const Chain &chain) {
    for (std::size_t i = 1; i < chain.dead; ++i) {
        set_unused(chain.members[i]);
        ++removed_;
    }
    if (view_.line(root).is_normal()) ++removed_;  // changing a redirect removes nothing
    if (chain.dead < chain.members.size()) {
        set_redirect(root, chain.members[chain.dead]);
    } else {
        set_dead(root);
    }
}

void PrunePlan::reclaim_dead() noexcept {
    reclaimed_ += static_cast<int>(dead_.size());
    for (const SlotNo slot : dead_) set_unused(slot);
    dead_.clear();
    for (SlotNo slot = 1; slot <= last_slot_; ++slot) {
        if (after_[slot] != After::untouched || !view_.line(slot).is_dead()) continue;
        set_unused(slot);
        ++reclaimed_;
    }
}

// ---- the lists

void PrunePlan::note_prunable(Xid xid) noexcept {
    if (!is_normal_xid(xid)) return;
    if (!TransactionIdIsValid(next_prune_xid_) || xid_precedes(xid, next_prune_xid_)) next_prune_xid_ = xid;
}

void PrunePlan::set_redirect(SlotNo from, SlotNo to) noexcept {
    redirected_.push_back({from, to});
    after_[from] = After::redirected;
    after_[to] = After::redirect_target;
}

void PrunePlan::set_dead(SlotNo slot) noexcept {
    dead_.push_back(slot);
    after_[slot] = After::dead;
}

void PrunePlan::set_unused(SlotNo slot) noexcept {
    unused_.push_back(slot);
    after_[slot] = After::unused;
}

}  // namespace glassheap::heap
