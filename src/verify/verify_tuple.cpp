// verify/verify_tuple.cpp — tuple headers and the transaction ids in them.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "debug/stop_points.hpp"
#include "pg/pg_transam.hpp"
#include "verify/verify.hpp"

namespace glassheap::verify {

namespace {

// ---- limits

Xid next_xid(const XidLimits &limits) {
    return XidFromFullTransactionId(limits.next);
}

void read_cluster_limits(XidLimits *limits) {
    const pg::XidRange xids = pg::xids_in_use();
    limits->next = xids.next;
    limits->oldest = xids.oldest;
    ::ReadMultiXactIdRange(&limits->oldest_multi, &limits->next_multi);
}

XidBounds bounds_of(const XidLimits &limits, Xid xid) {
    if (!TransactionIdIsValid(xid)) return XidBounds::none;
    if (!TransactionIdIsNormal(xid)) return XidBounds::ok;  // bootstrap, frozen
    if (::TransactionIdFollowsOrEquals(xid, next_xid(limits))) return XidBounds::in_future;
    if (::TransactionIdPrecedes(xid, limits.oldest)) return XidBounds::before_cluster;
    if (TransactionIdIsNormal(limits.table_oldest) && ::TransactionIdPrecedes(xid, limits.table_oldest))
        return XidBounds::before_table;
    return XidBounds::ok;
}

XidBounds multi_bounds_of(const XidLimits &limits, MultiXactId multi) {
    if (!MultiXactIdIsValid(multi)) return XidBounds::none;
    if (::MultiXactIdPrecedesOrEquals(limits.next_multi, multi)) return XidBounds::in_future;
    if (::MultiXactIdPrecedes(multi, limits.oldest_multi)) return XidBounds::before_cluster;
    if (MultiXactIdIsValid(limits.table_oldest_multi) &&
        ::MultiXactIdPrecedes(multi, limits.table_oldest_multi))
        return XidBounds::before_table;
    return XidBounds::ok;
}

// Says what is wrong with `name` (xmin, xmax ...); true when nothing is, or it is merely absent.
bool report_xid_bounds(Verifier *v, const char *name, Xid xid, XidBounds bounds) {
    switch (bounds) {
        case XidBounds::ok:
        case XidBounds::none:
            return true;
        case XidBounds::in_future:
            report_damage(v, "%s %u is not older than the next transaction id %u", name, xid,
                          next_xid(v->limits));
            return false;
        case XidBounds::before_cluster:
            report_damage(v, "%s %u is older than the oldest transaction id of the cluster %u", name, xid,
                          v->limits.oldest);
            return false;
        case XidBounds::before_table:
            report_damage(v, "%s %u is older than the table's relfrozenxid %u", name, xid,
                          v->limits.table_oldest);
            return false;
    }
    return false;
}

bool report_multi_bounds(Verifier *v, MultiXactId multi, XidBounds bounds) {
    switch (bounds) {
        case XidBounds::ok:
            return true;
        case XidBounds::none:
            report_damage(v, "xmax is said to be a multixact, but is 0");
            return false;
        case XidBounds::in_future:
            report_damage(v, "multixact %u is not older than the next multixact id %u", multi,
                          v->limits.next_multi);
            return false;
        case XidBounds::before_cluster:
            report_damage(v, "multixact %u is older than the oldest multixact id of the cluster %u", multi,
                          v->limits.oldest_multi);
            return false;
        case XidBounds::before_table:
            report_damage(v, "multixact %u is older than the table's relminmxid %u", multi,
                          v->limits.table_oldest_multi);
            return false;
    }
    return false;
}

// ---- header

std::size_t expected_hoff(const page::TupleHead &head) {
    const int attributes = head.infomask2 & page::kAttributeCountMask;
    const bool nulls = (head.infomask & page::kHasNull) != 0;
    return page::align_up(page::kTupleHeadFixed +
                          (nulls ? static_cast<std::size_t>(BITMAPLEN(attributes)) : 0));
}

bool verify_tuple_header(Verifier *v, const page::TupleHead &head, unsigned length) {
    constexpr std::uint16_t kUnusedBits = 0x1800;
    const int attributes = head.infomask2 & page::kAttributeCountMask;
    const bool nulls = (head.infomask & page::kHasNull) != 0;
    bool usable = true;
    if (head.hoff > length) {
        report_damage(v, "tuple's data begins at byte %u, beyond its length %u", unsigned{head.hoff}, length);
        usable = false;
    }
    if (head.hoff != expected_hoff(head)) {
        report_damage(v, "tuple's data begins at byte %u instead of %zu (%d attribute%s, %s nulls)",
                      unsigned{head.hoff}, expected_hoff(head), attributes, attributes == 1 ? "" : "s",
                      nulls ? "with" : "no");
        usable = false;
    }
    if (attributes > RelationGetDescr(v->rel)->natts) {
        report_damage(v, "tuple has %d attributes, but the table only %d", attributes,
                      RelationGetDescr(v->rel)->natts);
        usable = false;
    }
    if ((head.infomask2 & kUnusedBits) != 0)
        report_damage(v, "tuple has unknown flags 0x%04X in t_infomask2",
                      static_cast<unsigned>(head.infomask2 & kUnusedBits));
    if ((head.infomask & page::kXmaxCommitted) != 0 && (head.infomask & page::kXmaxIsMulti) != 0)
        report_damage(v, "xmax is a multixact, but is marked committed");
    if ((head.infomask2 & page::kHeapOnly) != 0 && (head.infomask & page::kUpdated) == 0)
        report_damage(v, "heap-only tuple is not marked as the result of an update");
    if ((head.infomask2 & page::kHotUpdated) != 0 && head.xmax == kInvalidXid &&
        (head.infomask & page::kXmaxInvalid) == 0)
        report_damage(v, "tuple is marked HOT-updated, but its xmax is 0");
    return usable;
}

// ---- xmin

// What of the rest of the tuple may be looked at?
enum class Inserted : std::uint8_t {
    no,         // aborted, or its header is damaged: nothing
    uncertain,  // by a transaction that runs: its successors (it may have updated its own row), no attributes
    yes,
};

bool inserter_committed_hint(const page::TupleHead &head) {
    return (head.infomask & page::kXminCommitted) != 0;
}

// Before PostgreSQL 9.0 VACUUM FULL moved tuples; what moved it decides instead of xmin.
Inserted verify_moved(Verifier *v, const page::TupleHead &head) {
    const Xid mover = head.cid;
    if (!report_xid_bounds(v, "xvac", mover, v->limits.check(mover)) || !TransactionIdIsValid(mover))
        return Inserted::no;
    XidFate fate;
    if (!v->limits.fate(mover, &fate)) return Inserted::yes;
    if (fate == XidFate::running || fate == XidFate::mine) {
        report_damage(v, "xvac %u of an old-style VACUUM FULL is still running", mover);
        return Inserted::no;
    }
    return Inserted::yes;
}

Inserted by_fate(XidFate fate) {
    switch (fate) {
        case XidFate::committed:
            return Inserted::yes;
        case XidFate::running:
        case XidFate::mine:
            return Inserted::uncertain;
        case XidFate::aborted:
            break;
    }
    return Inserted::no;
}

Inserted verify_xmin(Verifier *v, const page::TupleHead &head) {
    const bool frozen = (head.infomask & page::kXminFrozen) == page::kXminFrozen;
    ItemState *item = &v->items[v->slot];
    if (frozen) {
        item->xmin_known = true;
        item->xmin_fate = XidFate::committed;
        return Inserted::yes;
    }
    const XidBounds bounds = v->limits.check(head.xmin);
    if (bounds == XidBounds::none) return Inserted::no;  // a speculative insertion that was taken back
    if (!report_xid_bounds(v, "xmin", head.xmin, bounds)) return Inserted::no;
    item->xmin_known = v->limits.fate(head.xmin, &item->xmin_fate);
    if (!item->xmin_known) return Inserted::yes;
    const bool invalid_hint = (head.infomask & page::kXminFrozen) == page::kXminInvalid;
    if (inserter_committed_hint(head) && item->xmin_fate != XidFate::committed)
        report_damage(v, "xmin %u is marked committed, but the commit log says %s", head.xmin,
                      item->xmin_fate == XidFate::aborted ? "aborted" : "in progress");
    if (invalid_hint && item->xmin_fate == XidFate::committed)
        report_damage(v, "xmin %u is marked aborted, but the commit log says committed", head.xmin);
    if (inserter_committed_hint(head)) return Inserted::yes;
    if (invalid_hint) return Inserted::no;
    if ((head.infomask & page::kMoved) != 0) return verify_moved(v, head);
    return by_fate(item->xmin_fate);
}

// ---- xmax

struct Deletion {
    bool checkable;          // attributes may be looked at
    bool may_be_cleaned_up;  // its TOAST values may be gone already
};

Deletion deletion_by(Verifier *v, Xid deleter, const page::TupleHead &head, bool from_multi) {
    const XidBounds bounds = v->limits.check(deleter);
    if (bounds == XidBounds::none) {
        if (from_multi) report_damage(v, "multixact %u is no mere lock, but no member updates", head.xmax);
        return {true, from_multi};
    }
    if (!report_xid_bounds(v, from_multi ? "updating xmax" : "xmax", deleter, bounds))
        return {from_multi, true};
    v->items[v->slot].updater = deleter;
    XidFate fate;
    if (!v->limits.fate(deleter, &fate)) return {true, true};
    if (!from_multi && (head.infomask & page::kXmaxCommitted) != 0 && fate != XidFate::committed)
        report_damage(v, "xmax %u is marked committed, but the commit log says %s", deleter,
                      fate == XidFate::aborted ? "aborted" : "in progress");
    if (fate == XidFate::aborted) v->items[v->slot].updater = kInvalidXid;
    return {true, fate == XidFate::committed && ::TransactionIdPrecedes(deleter, v->safe_xmin)};
}

Deletion verify_xmax(Verifier *v, const page::TupleHead &head) {
    const bool multi = (head.infomask & page::kXmaxIsMulti) != 0;
    const bool only_locked = HEAP_XMAX_IS_LOCKED_ONLY(head.infomask);
    if (multi && !report_multi_bounds(v, head.xmax, v->limits.check_multi(head.xmax))) return {true, true};
    if ((head.infomask & page::kXmaxInvalid) != 0) return {true, false};
    if (only_locked) {
        if (!multi && !report_xid_bounds(v, "xmax", head.xmax, v->limits.check(head.xmax)))
            return {false, false};
        return {true, false};
    }
    if (!multi) return deletion_by(v, head.xmax, head, false);
    // Precondition of the look-up: the multixact is within bounds.
    const Xid updater =
        ::HeapTupleGetUpdateXid(reinterpret_cast<HeapTupleHeader>(const_cast<page::TupleHead *>(&head)));
    return deletion_by(v, updater, head, true);
}

void verify_tuple(Verifier *v) {
    const page::TupleHead &head = v->view().tuple(v->slot);
    if (!verify_tuple_header(v, head, v->view().line(v->slot).length())) return;
    v->items[v->slot].header_ok = true;
    const Inserted inserted = verify_xmin(v, head);
    if (inserted == Inserted::no) return;
    const Deletion deletion = verify_xmax(v, head);
    if (inserted == Inserted::yes && deletion.checkable) verify_attributes(v, deletion.may_be_cleaned_up);
}

}  // namespace

void XidLimits::read(Relation rel) {
    table_oldest = rel->rd_rel->relfrozenxid;
    table_oldest_multi = rel->rd_rel->relminmxid;
    read_cluster_limits(this);
}

XidBounds XidLimits::check(Xid xid) {
    const XidBounds bounds = bounds_of(*this, xid);
    if (bounds == XidBounds::ok || bounds == XidBounds::none) return bounds;
    read_cluster_limits(this);
    return bounds_of(*this, xid);
}

XidBounds XidLimits::check_multi(MultiXactId multi) {
    const XidBounds bounds = multi_bounds_of(*this, multi);
    if (bounds == XidBounds::ok || bounds == XidBounds::none) return bounds;
    read_cluster_limits(this);
    return multi_bounds_of(*this, multi);
}

bool XidLimits::fate(Xid xid, XidFate *result) const {
    *result = XidFate::committed;
    if (!TransactionIdIsNormal(xid)) return true;
    if (::TransactionIdIsCurrentTransactionId(xid)) {
        *result = XidFate::mine;
        return true;
    }
    if (::TransactionIdIsInProgress(xid)) {
        *result = XidFate::running;
        return true;
    }
    // The commit log must not be truncated between the comparison and the look-up.
    ::LWLockAcquire(XactTruncationLock, LW_SHARED);
    const bool kept = !::TransactionIdPrecedes(xid, pg::oldest_clog_xid());
    if (kept && !::TransactionIdDidCommit(xid)) *result = XidFate::aborted;
    ::LWLockRelease(XactTruncationLock);
    return kept;
}

void verify_tuples(Verifier *v) {
    const SlotNo last = v->view().max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        v->slot = slot;
        if (!v->items[slot].valid) continue;
        verify_tuple(v);
        GH_STOP_POINT("verify.tuple_verified");
    }
    v->slot = kInvalidSlot;
}

}  // namespace glassheap::verify
