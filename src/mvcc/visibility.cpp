// mvcc/visibility.cpp — the visibility rules asked with the server's transactions.
//
// Why:    one thin function per question; what the answers are is in visibility_rules.hpp.
// Invariants: the page's latch, or a private copy, keeps the header still while it is judged, apart from hint
//         bits that other readers add.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "mvcc/visibility.hpp"

#include "mvcc/historic.hpp"
#include "mvcc/oracle.hpp"

namespace glassheap::mvcc {

namespace {

static_assert(static_cast<int>(rules::Fate::dead) == HEAPTUPLE_DEAD &&
              static_cast<int>(rules::Fate::live) == HEAPTUPLE_LIVE &&
              static_cast<int>(rules::Fate::recently_dead) == HEAPTUPLE_RECENTLY_DEAD &&
              static_cast<int>(rules::Fate::insert_in_progress) == HEAPTUPLE_INSERT_IN_PROGRESS &&
              static_cast<int>(rules::Fate::delete_in_progress) == HEAPTUPLE_DELETE_IN_PROGRESS);
static_assert(static_cast<int>(rules::Change::ok) == TM_Ok &&
              static_cast<int>(rules::Change::invisible) == TM_Invisible &&
              static_cast<int>(rules::Change::self_modified) == TM_SelfModified &&
              static_cast<int>(rules::Change::updated) == TM_Updated &&
              static_cast<int>(rules::Change::deleted) == TM_Deleted &&
              static_cast<int>(rules::Change::being_modified) == TM_BeingModified);

page::RowAddress address_of(const ItemPointerData &tid) noexcept {
    return {tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo, tid.ip_posid};
}

bool satisfies_dirty(HeapTuple tuple, Snapshot snapshot, const buffer::PinnedPage *page) {
    PresentOracle oracle(tuple->t_data, page);
    rules::DirtyReport report;
    const bool visible = rules::visible_now(head_of(tuple->t_data), oracle, &report);
    snapshot->xmin = report.inserter;
    snapshot->xmax = report.deleter;
    snapshot->speculativeToken = report.speculative;
    return visible;
}

bool satisfies_non_vacuumable(HeapTuple tuple, Snapshot snapshot, const buffer::PinnedPage *page) {
    Xid dead_after;
    const HTSV_Result result = satisfies_vacuum_horizon(tuple, page, &dead_after);
    if (result != HEAPTUPLE_RECENTLY_DEAD) return result != HEAPTUPLE_DEAD;
    return !::GlobalVisTestIsRemovableXid(snapshot->vistest, dead_after);
}

// The rarer kinds of snapshot, out of the hot path.
bool satisfies_special(HeapTuple tuple, Snapshot snapshot, const buffer::PinnedPage *page) {
    PresentOracle oracle(tuple->t_data, page);
    switch (snapshot->snapshot_type) {
        case SNAPSHOT_SELF:
            return rules::visible_now(head_of(tuple->t_data), oracle, nullptr);
        case SNAPSHOT_ANY:
            return true;
        case SNAPSHOT_TOAST:
            return rules::visible_as_toast(head_of(tuple->t_data), oracle);
        case SNAPSHOT_DIRTY:
            return satisfies_dirty(tuple, snapshot, page);
        case SNAPSHOT_HISTORIC_MVCC:
            return visible_to_decoder(tuple, snapshot);
        case SNAPSHOT_NON_VACUUMABLE:
            return satisfies_non_vacuumable(tuple, snapshot, page);
        case SNAPSHOT_MVCC:
            break;
    }
    return false;
}

}  // namespace

bool satisfies(HeapTuple tuple, Snapshot snapshot, const buffer::PinnedPage *page) {
    if (snapshot->snapshot_type != SNAPSHOT_MVCC) [[unlikely]] {
        return satisfies_special(tuple, snapshot, page);
    }
    SnapshotOracle oracle(tuple->t_data, page, snapshot);
    return rules::visible_to_snapshot(head_of(tuple->t_data), oracle, snapshot->curcid);
}

TM_Result satisfies_update(HeapTuple tuple, Cid curcid, const buffer::PinnedPage *page) {
    PresentOracle oracle(tuple->t_data, page);
    return static_cast<TM_Result>(
        rules::changeable(head_of(tuple->t_data), oracle, curcid, address_of(tuple->t_self)));
}

HTSV_Result satisfies_vacuum_horizon(HeapTuple tuple, const buffer::PinnedPage *page, Xid *dead_after) {
    PresentOracle oracle(tuple->t_data, page);
    return static_cast<HTSV_Result>(rules::fate(head_of(tuple->t_data), oracle, dead_after));
}

HTSV_Result satisfies_vacuum(HeapTuple tuple, Xid oldest_xmin, const buffer::PinnedPage *page) {
    Xid dead_after;
    const HTSV_Result result = satisfies_vacuum_horizon(tuple, page, &dead_after);
    if (result == HEAPTUPLE_RECENTLY_DEAD && xid_precedes(dead_after, oldest_xmin)) return HEAPTUPLE_DEAD;
    return result;
}

bool is_surely_dead(HeapTuple tuple, GlobalVisState *vistest) {
    const page::TupleHead &t = head_of(tuple->t_data);
    if (!rules::xmin_committed(t)) return rules::xmin_invalid(t);
    if (rules::has(t, page::kXmaxInvalid | page::kXmaxIsMulti) || rules::locks_only(t)) return false;
    return rules::has(t, page::kXmaxCommitted) && ::GlobalVisTestIsRemovableXid(vistest, t.xmax);
}

bool is_only_locked(HeapTupleHeader tuple) {
    PresentOracle oracle(tuple, nullptr);
    return rules::only_locked(head_of(tuple), oracle);
}

Xid update_xid(HeapTupleHeader tuple) {
    const page::TupleHead &t = head_of(tuple);
    if (rules::has(t, page::kXmaxInvalid) || rules::locks_only(t)) return kInvalidXid;
    return rules::has(t, page::kXmaxIsMulti) ? updater_in_multi(t.xmax) : t.xmax;
}

void advance_latest_removed_xid(HeapTupleHeader tuple, Xid *latest_removed_xid) {
    const page::TupleHead &t = head_of(tuple);
    const auto advance = [latest_removed_xid](Xid xid) noexcept {
        if (xid_precedes(*latest_removed_xid, xid)) *latest_removed_xid = xid;
    };
    if (rules::has(t, page::kMoved)) advance(t.cid);
    // Nobody ever saw a version whose inserter aborted, or deleted it again itself.
    const bool was_seen =
        rules::xmin_committed(t) || (!rules::xmin_invalid(t) && ::TransactionIdDidCommit(t.xmin));
    if (!was_seen) return;
    const Xid xmin = rules::xmin_frozen(t) ? kFrozenXid : t.xmin;
    const Xid xmax = HeapTupleHeaderGetUpdateXid(tuple);
    if (xmax != xmin) advance(xmax);
}

}  // namespace glassheap::mvcc
