// mvcc/oracle.hpp — the server's answers to the questions of the visibility and freeze rules.
//
// Why:    the rules are templates over these; the calls inline into the hot path.
// Invariants: mvcc.O1 is_running is asked before has_committed (see visibility_rules.hpp).
//         mvcc.O2 hint writes only to the tuple given to the constructor, and only with a page.
// Errors: may longjmp (pg_xact, pg_subtrans and pg_multixact reads).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/xid_order.hpp"
#include "mvcc/multi.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::mvcc {

// The state of transactions as it is right now.
class PresentOracle {
public:
    PresentOracle(HeapTupleHeader tuple, const buffer::PinnedPage *page) noexcept
        : tuple_(tuple), page_(page) {}

    static bool is_mine(Xid xid) { return ::TransactionIdIsCurrentTransactionId(xid); }
    static bool is_running(Xid xid) { return ::TransactionIdIsInProgress(xid); }
    static bool has_committed(Xid xid) { return ::TransactionIdDidCommit(xid); }
    static bool multi_is_running(MultiXactId multi, bool locks_only) {
        return ::MultiXactIdIsRunning(multi, locks_only);
    }
    static Xid updater_of(const page::TupleHead &t) { return updater_in_multi(t.xmax); }
    Cid cmin_of(const page::TupleHead &) const { return ::HeapTupleHeaderGetCmin(tuple_); }
    Cid cmax_of(const page::TupleHead &) const { return ::HeapTupleHeaderGetCmax(tuple_); }
    void hint(std::uint16_t bits, Xid committed) const { set_hint_bits(tuple_, page_, bits, committed); }

protected:
    HeapTupleHeader tuple_;
    const buffer::PinnedPage *page_;
};

// The same, but "running" is what an MVCC snapshot says.
class SnapshotOracle : public PresentOracle {
public:
    SnapshotOracle(HeapTupleHeader tuple, const buffer::PinnedPage *page, Snapshot snapshot) noexcept
        : PresentOracle(tuple, page), snapshot_(snapshot) {}

    bool is_running(Xid xid) const {
        if (xid_precedes(xid, snapshot_->xmin)) return false;
        return ::XidInMVCCSnapshot(xid, snapshot_);
    }

private:
    Snapshot snapshot_;
};

}  // namespace glassheap::mvcc
