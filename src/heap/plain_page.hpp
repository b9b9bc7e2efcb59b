// heap/plain_page.hpp — a page with no row deleted, updated or locked is vacuumed as a whole.
//
// Why:    most pages that vacuum visits to mark or to freeze them are as a load has left them.  What pruning
//         and freezing would find out row by row then follows from the inserters, of whom a page has few.
// Invariants: prune.F1 plain: every line pointer is unused, normal, or a redirect to a normal one; no row has
//            an xmax of any kind; every inserter is frozen, or has committed and may be hinted; of those that
//            are not frozen, all are older than the freeze limit, or none is.
//         prune.F2 a page that is not plain, damage included, is left as it was found: PrunePlan and Survey
//            judge it.
// Locking: cleanup latch held.
// Errors: may longjmp (transaction look-ups); nothing was changed then.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/prune.hpp"

namespace glassheap::heap {

class PlainPage {
public:
    // `request` must ask for freezing.
    PlainPage(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request) noexcept
        : rel_(rel), page_(page), request_(request) {}

    bool is_plain();  // asked once, before all others

    // What Survey would have found.  Precondition of these: the page is plain.
    void fill(PruneOutcome *out) const noexcept;
    bool freezes() const noexcept { return old_; }
    bool wants_hints() const noexcept { return recent_ && unhinted_; }

private:
    bool is_plain_row(SlotNo slot);
    bool is_plain_inserter(SlotNo slot, bool hinted);
    bool has_committed_for_good(SlotNo slot) const;

    Relation rel_;
    const buffer::PinnedPage &page_;
    const PruneRequest &request_;

    int rows_ = 0;
    int unfrozen_ = 0;
    bool old_ = false;          // some inserter is older than the freeze limit
    bool recent_ = false;       // some inserter is neither frozen nor old
    bool unhinted_ = false;     // some row lacks the hint that its inserter committed
    Xid oldest_ = kInvalidXid;  // of the inserters that are not frozen
    Xid newest_ = kInvalidXid;
    Xid inserter_ = kInvalidXid;   // the last one that was looked at ...
    bool inserter_asked_ = false;  // ... and not by a hint alone
};

}  // namespace glassheap::heap
