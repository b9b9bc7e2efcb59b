// vacuum/scan_page.cpp — one page in the first pass.
//
// Why:    the usual case is one call of prune_page under the cleanup latch.  The rest are pages that are
//         new, empty, or pinned by somebody who may take his time.
// Invariants: vm.V1, vm.V2 of vm/: the map's bits follow the page's flag.
// Locking: the VM page is pinned before the page is latched, locked after it; the FSM after both are let go.
// Errors: may longjmp outside critical sections.
// WAL:    by prune_page; RecordType::visible and new_pages for empty pages; images where the map or the flag
//         was found wrong.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/scan_page.hpp"

#include "debug/stop_points.hpp"
#include "fsm/free_space_map.hpp"
#include "heap/prune.hpp"
#include "heap/row_access.hpp"
#include "mvcc/visibility.hpp"
#include "vm/visibility_map.hpp"
#include "wal/emit.hpp"

namespace glassheap::vacuum {
namespace {

using buffer::PinnedPage;

// What is left to be done when the page has been let go.
struct Visit {
    bool done = true;  // false: nothing was decided, the cleanup latch is needed
    bool record_space = false;
    Size avail = 0;
};

Visit done_with_space(page::PageView view) {
    return {true, true, view.free_space_for_tuple()};
}

// Left behind by a crash or by an extension in batches: somebody will use it if the map knows it.
Visit visit_new_page(const VacuumState &state, BlockNo block) {
    const bool unknown = fsm::recorded(state.rel, block) == 0;
    return {true, unknown, BLCKSZ - SizeOfPageHeaderData};
}

bool is_empty(page::PageView view) {
    return view.max_slot() == 0;
}

// An empty page is visible and frozen, unless rows are being gathered for it (heap.I2).  The page is latched
// exclusively.
void mark_empty_page(const VacuumState &state, const PinnedPage &page, Buffer vmbuf) {
    if (page.view().all_visible() || page.is_reserved()) return;
    const bool needs_wal = RelationNeedsWAL(state.rel);
    BlockNo block = page.block();
    if (needs_wal && page.view().lsn() == kInvalidLsn) {
        // Who made this page failed before logging it; redo of our record must not meet a page of zeroes.
        buffer::PageChange change;
        change.add(page);
        change.finish();
        char *bytes = page.data();
        wal::log_new_pages(pg::file_of(state.rel), MAIN_FORKNUM, &block, &bytes, 1);
    }
    vm::VmLock map_lock(vmbuf);
    buffer::PageChange change;
    change.add(page);
    page.edit().set_all_visible(true);
    vm::set_bits_locked(vmbuf, block, vm::kBothBits);
    if (needs_wal) wal::emit_visible(state.rel, page, vmbuf, vm::kBothBits, kInvalidXid);
    change.finish();
}

// ---- somebody has the page pinned

struct Tally {  // what a page without cleanup latch adds to the counts, if it need not be cleaned
    int live = 0;
    int recently_dead = 0;
    int missed_dead = 0;
    bool has_tuples = false;
    Xid new_relfrozenxid;
    MultiXactId new_relminmxid;
    page::SlotList dead;
};

void tally_tuple(const VacuumState &state, const PinnedPage &page, SlotNo slot, Tally *tally) {
    HeapTupleData tuple = heap::tuple_at(state.rel, page, slot);
    switch (mvcc::satisfies_vacuum(&tuple, state.cutoffs.oldest_xmin, &page)) {
        case HEAPTUPLE_LIVE:
        case HEAPTUPLE_DELETE_IN_PROGRESS:  // the deleter will report its part when it commits
            tally->live++;
            break;
        case HEAPTUPLE_DEAD:
            tally->missed_dead++;
            break;
        case HEAPTUPLE_RECENTLY_DEAD:
            tally->recently_dead++;
            break;
        case HEAPTUPLE_INSERT_IN_PROGRESS:  // likewise the inserter
            break;
    }
}

// False when a tuple must be frozen and this vacuum may not leave it.
bool tally_page(VacuumState &state, const PinnedPage &page, Tally *tally) {
    const page::PageView view = page.view();
    const mvcc::FreezeCutoffs &freeze = state.cutoffs.freeze;
    for (SlotNo slot = 1; slot <= view.max_slot(); slot++) {
        const page::LinePointer line = view.line(slot);
        state.place.slot = slot;
        if (!line.is_used()) continue;
        if (line.is_dead()) {
            tally->dead.push_back(slot);
            continue;
        }
        tally->has_tuples = true;
        if (line.is_redirect()) continue;
        if (mvcc::needs_freeze(heap::header_at(page, slot), freeze.freeze_limit, freeze.multi_cutoff,
                               &tally->new_relfrozenxid, &tally->new_relminmxid) &&
            state.plan.aggressive)
            return false;
        tally_tuple(state, page, slot, tally);
    }
    return true;
}

// Dead items that stay, because without an index there is no second pass.
void count_dead_items_as_missed(Tally *tally) {
    tally->has_tuples = tally->has_tuples || !tally->dead.empty();
    tally->missed_dead += static_cast<int>(tally->dead.size());
    tally->dead.clear();
}

void add_tally(VacuumState &state, BlockNo block, const Tally &tally) {
    Counts &counts = state.counts;
    state.new_relfrozenxid = tally.new_relfrozenxid;
    state.new_relminmxid = tally.new_relminmxid;
    if (!tally.dead.empty()) collect_dead_items(state, block, span_of(tally.dead));
    counts.live_tuples += tally.live;
    counts.recently_dead += tally.recently_dead;
    counts.missed_dead += tally.missed_dead;
    if (tally.missed_dead > 0) counts.pages_with_missed_dead++;
    if (tally.has_tuples) counts.nonempty_pages = block + 1;
}

Visit visit_pinned_page(VacuumState &state, const PinnedPage &page) {
    Tally tally;
    tally.new_relfrozenxid = state.new_relfrozenxid;
    tally.new_relminmxid = state.new_relminmxid;
    const bool may_stay = tally_page(state, page, &tally);
    state.place.slot = kInvalidSlot;
    if (!may_stay) return {.done = false};
    if (state.index_count == 0) count_dead_items_as_missed(&tally);
    add_tally(state, page.block(), tally);
    if (!tally.dead.empty()) return {};  // the second pass will record the space
    return done_with_space(page.view());
}

// The page could not have the cleanup latch; it is unlatched on return.
Visit visit_without_cleanup(VacuumState &state, const PinnedPage &page, Buffer vmbuf) {
    page.latch_share();
    if (page.view().is_new()) {
        page.unlatch();
        return visit_new_page(state, page.block());
    }
    if (is_empty(page.view()) && !page.view().all_visible()) {
        page.unlatch();
        page.latch_exclusive();
        if (is_empty(page.view())) mark_empty_page(state, page, vmbuf);
    }
    const Visit visit = is_empty(page.view()) ? done_with_space(page.view()) : visit_pinned_page(state, page);
    page.unlatch();
    return visit;
}

// ---- the usual case

// The map claims what the page denies: the map is wrong.  Found out under the page's latch.  The standbys are
// told, unlike with heap: the server may be one that recovered, or was promoted, with these bits.
void distrust_map(const VacuumState &state, const PinnedPage &page, Buffer vmbuf) {
    if (page.view().all_visible() || vm::get_bits(vmbuf, page.block()) == 0) return;
    ereport(WARNING, (errcode(ERRCODE_DATA_CORRUPTED),
                      errmsg_internal("page is not marked all-visible but visibility map bit is set in "
                                      "relation \"%s\" page %u",
                                      state.table_name, page.block())));
    vm::correct(state.rel, vmbuf, page.block(), vm::kBothBits);
}

// The flag is right, but the map also claims that nothing is left to freeze.  Left alone, the claim would
// keep every later vacuum away while relfrozenxid moves on.
void distrust_frozen(const VacuumState &state, const PinnedPage &page, const heap::PruneOutcome &outcome,
                     Buffer vmbuf) {
    if (outcome.all_frozen || (vm::get_bits(vmbuf, page.block()) & vm::kAllFrozenBit) == 0) return;
    ereport(WARNING, (errcode(ERRCODE_DATA_CORRUPTED),
                      errmsg_internal("page has unfrozen tuples but visibility map says all-frozen in "
                                      "relation \"%s\" page %u",
                                      state.table_name, page.block())));
    vm::correct(state.rel, vmbuf, page.block(), vm::kAllFrozenBit);
}

// A page with dead items cannot be all-visible.
void distrust_page(const VacuumState &state, const PinnedPage &page, Buffer vmbuf) {
    if (!page.view().all_visible()) return;
    ereport(WARNING, (errcode(ERRCODE_DATA_CORRUPTED),
                      errmsg_internal("page containing LP_DEAD items is marked as all-visible in relation "
                                      "\"%s\" page %u",
                                      state.table_name, page.block())));
    // The map first: a bit must never stand without the flag, here or on a standby.
    vm::correct(state.rel, vmbuf, page.block(), vm::kBothBits);
    buffer::PageChange change;
    change.add(page);
    page.edit().set_all_visible(false);
    if (RelationNeedsWAL(state.rel))
        page.edit().set_lsn(wal::emit_hint_image(buffer::fork_of(state.rel), page.block(), page.data()));
    change.finish();
}

void add_outcome(VacuumState &state, const heap::PruneOutcome &outcome) {
    state.new_relfrozenxid = outcome.new_relfrozenxid;
    state.new_relminmxid = outcome.new_relminmxid;
    state.counts.tuples_deleted += outcome.removed;
    state.counts.live_tuples += outcome.live;
    state.counts.recently_dead += outcome.recently_dead;
    state.counts.dead_items += outcome.dead_reclaimed;
    if (outcome.dead_reclaimed > 0) state.counts.pages_with_dead_items++;
}

Visit visit_cleanable_page(VacuumState &state, const PinnedPage &page, Buffer vmbuf) {
    distrust_map(state, page, vmbuf);
    heap::PruneRequest request = {};
    request.vistest = state.vistest;
    request.oldest_xmin = state.cutoffs.oldest_xmin;
    request.freeze = &state.cutoffs.freeze;
    request.vmbuf = vmbuf;
    request.mark_unused_now = state.index_count == 0;
    request.slot_in_work = &state.place.slot;
    heap::PruneOutcome outcome;
    outcome.new_relfrozenxid = state.new_relfrozenxid;
    outcome.new_relminmxid = state.new_relminmxid;
    heap::prune_page(state.rel, page, request, &outcome);
    distrust_frozen(state, page, outcome, vmbuf);

    add_outcome(state, outcome);
    if (outcome.has_storage_items) state.counts.nonempty_pages = page.block() + 1;
    if (outcome.dead_slots.empty()) return done_with_space(page.view());
    distrust_page(state, page, vmbuf);
    if (state.index_count > 0) collect_dead_items(state, page.block(), span_of(outcome.dead_slots));
    if (state.plan.index_vacuuming) return {};  // the second pass will record the space
    return done_with_space(page.view());
}

Visit visit_page(VacuumState &state, BlockNo block, Buffer vmbuf) {
    const PinnedPage page = buffer::read_page(state.rel, MAIN_FORKNUM, block, state.ring);
    if (!page.try_latch_cleanup()) {
        const Visit visit = visit_without_cleanup(state, page, vmbuf);
        if (visit.done) return visit;
        page.latch_cleanup();
    }
    Visit visit;
    if (page.view().is_new()) {
        page.unlatch();
        return visit_new_page(state, block);
    }
    if (is_empty(page.view())) {
        mark_empty_page(state, page, vmbuf);
        visit = done_with_space(page.view());
    } else {
        visit = visit_cleanable_page(state, page, vmbuf);
    }
    page.unlatch();
    return visit;
}

}  // namespace

void scan_page(VacuumState &state, BlockNo block, Buffer *vmbuf) {
    GH_STOP_POINT("vacuum.before_page");
    vm::pin(state.rel, block, vmbuf);
    const Visit visit = visit_page(state, block, *vmbuf);
    if (visit.record_space) fsm::record(state.rel, block, visit.avail);
}

}  // namespace glassheap::vacuum
