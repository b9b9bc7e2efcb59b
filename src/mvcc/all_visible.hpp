// mvcc/all_visible.hpp — may a version be on a page that the visibility map calls all-visible?  Pure.
//
// Why:    pruning and vacuum set the map, the check of the map accuses it: all must mean the same.
// Invariants: mvcc.A1 a version is visible to all if its fate is live (visibility_rules.hpp), its inserter
//            is older than every snapshot there is, and, for whoever sets the map, hinted as committed.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/xid_order.hpp"
#include "mvcc/visibility_rules.hpp"

namespace glassheap::mvcc {

// Who sets the map needs the hint: without it the commit may be asynchronous and still be lost, and then the
// map would lie.  Who checks the map may not ask for it: hints are lost with a crash, its bits are not.
enum class CommitHint : bool { needed, not_needed };

// Precondition: the version's fate is live.  Every snapshot sees xids that precede `horizon` as ended.
constexpr bool is_visible_to_all(const page::TupleHead &t, Xid horizon, CommitHint hint) noexcept {
    if (rules::xmin_frozen(t)) return true;
    return (hint == CommitHint::not_needed || rules::xmin_committed(t)) && xid_precedes(t.xmin, horizon);
}

}  // namespace glassheap::mvcc
