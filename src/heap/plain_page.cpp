// heap/plain_page.cpp — see the header.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/plain_page.hpp"

#include "base/xid_order.hpp"
#include "heap/row_access.hpp"
#include "mvcc/freeze.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {

bool PlainPage::is_plain() {
    const page::PageView view = page_.view();
    const SlotNo last = view.max_slot();
    // Backwards: later slots usually lie at lower addresses, and memory likes to be read upwards.
    for (SlotNo slot = last; slot >= 1; --slot) {
        const page::LinePointer line = view.line(slot);
        if (line.is_normal()) {
            if (!is_plain_row(slot)) return false;
        } else if (line.is_used()) {
            const SlotNo target = line.is_redirect() ? line.redirect_to() : kInvalidSlot;
            if (target == kInvalidSlot || target > last || !view.line(target).is_normal()) return false;
        }
    }
    return true;
}

bool PlainPage::is_plain_row(SlotNo slot) {
    const page::TupleHead &row = page_.view().tuple(slot);
    constexpr std::uint16_t kLooked = page::kXmaxBits | page::kMoved;
    if ((row.infomask & kLooked) != page::kXmaxInvalid || row.xmax != kInvalidXid) return false;
    ++rows_;
    const std::uint16_t xmin_bits = row.infomask & page::kXminFrozen;
    if (xmin_bits == page::kXminFrozen) return true;
    if (xmin_bits == page::kXminInvalid || !is_normal_xid(row.xmin)) return false;
    ++unfrozen_;
    const bool hinted = xmin_bits != 0;
    unhinted_ = unhinted_ || !hinted;
    return (row.xmin == inserter_ && (hinted || inserter_asked_)) || is_plain_inserter(slot, hinted);
}

// What vacuum would call damage is none of ours either: it is reported there.
bool PlainPage::is_plain_inserter(SlotNo slot, bool hinted) {
    const Xid xmin = page_.view().tuple(slot).xmin;
    const mvcc::FreezeCutoffs &cutoffs = *request_.freeze;
    if (xid_precedes(xmin, cutoffs.relfrozenxid)) return false;
    const bool is_old = xid_precedes(xmin, cutoffs.freeze_limit);
    (is_old ? old_ : recent_) = true;
    if (old_ && recent_) return false;
    // A hint is believed, but for what can never be undone.
    if ((!hinted || is_old) && !has_committed_for_good(slot)) return false;

    if (oldest_ == kInvalidXid || xid_precedes(xmin, oldest_)) oldest_ = xmin;
    if (xid_precedes(newest_, xmin)) newest_ = xmin;
    inserter_ = xmin;
    inserter_asked_ = !hinted || is_old;
    return true;
}

// No hint is written: freezing needs none, and one that stays would have the page logged before its record.
bool PlainPage::has_committed_for_good(SlotNo slot) const {
    if (request_.slot_in_work != nullptr) *request_.slot_in_work = slot;
    HeapTupleData tuple = tuple_at(rel_, page_, slot);
    const Xid xmin = HeapTupleHeaderGetRawXmin(tuple.t_data);
    Xid dead_after;
    const bool live = mvcc::satisfies_vacuum_horizon(&tuple, nullptr, &dead_after) == HEAPTUPLE_LIVE &&
                      ::TransactionIdDidCommit(xmin) && mvcc::may_hint_commit(page_, xmin);
    if (request_.slot_in_work != nullptr) *request_.slot_in_work = kInvalidSlot;
    return live;
}

void PlainPage::fill(PruneOutcome *out) const noexcept {
    out->live = rows_;
    out->has_storage_items = rows_ > 0;
    if (old_) out->frozen = unfrozen_;
    out->all_visible = newest_ == kInvalidXid || xid_precedes(newest_, request_.oldest_xmin);
    out->all_frozen = !recent_;
    // Frozen rows count with the frozen xid, as in heap.
    out->visibility_cutoff_xid = newest_ == kInvalidXid && rows_ > 0 ? kFrozenXid : newest_;
    if (recent_ && xid_precedes(oldest_, out->new_relfrozenxid)) out->new_relfrozenxid = oldest_;
}

}  // namespace glassheap::heap
