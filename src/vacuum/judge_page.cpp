// vacuum/judge_page.cpp — may the visibility map vouch for this page?
//
// Why:    the second pass changes a page after the first one judged it, so it judges again.
// Locking: the page is latched exclusively by the caller.
// Errors: may longjmp (commit log, multixacts).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "heap/row_access.hpp"
#include "mvcc/all_visible.hpp"
#include "mvcc/visibility.hpp"
#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

// False when the slot spoils the page.
bool judge_slot(const VacuumState &state, const buffer::PinnedPage &page, SlotNo slot,
                PageJudgement *judgement) {
    const page::LinePointer line = page.view().line(slot);
    if (!line.is_used() || line.is_redirect()) return true;
    if (line.is_dead()) return false;  // an index entry may lead here
    HeapTupleData tuple = heap::tuple_at(state.rel, page, slot);
    const Xid horizon = state.cutoffs.oldest_xmin;
    if (mvcc::satisfies_vacuum(&tuple, horizon, &page) != HEAPTUPLE_LIVE ||
        !mvcc::is_visible_to_all(page.view().tuple(slot), horizon, mvcc::CommitHint::needed))
        return false;
    const Xid xmin = HeapTupleHeaderGetXmin(tuple.t_data);
    if (::TransactionIdFollows(xmin, judgement->newest_xmin)) judgement->newest_xmin = xmin;
    if (::heap_tuple_needs_eventual_freeze(tuple.t_data)) judgement->all_frozen = false;
    return true;
}

}  // namespace

PageJudgement judge_page(VacuumState &state, const buffer::PinnedPage &page, std::span<const SlotNo> gone) {
    PageJudgement judgement = {true, true, kInvalidXid};
    const SlotNo last = page.view().max_slot();
    std::size_t next_gone = 0;
    for (SlotNo slot = 1; slot <= last && judgement.all_visible; slot++) {
        state.place.slot = slot;
        if (next_gone < gone.size() && gone[next_gone] == slot)
            next_gone++;
        else if (!judge_slot(state, page, slot, &judgement))
            judgement = {false, false, kInvalidXid};
    }
    state.place.slot = kInvalidSlot;
    return judgement;
}

}  // namespace glassheap::vacuum
