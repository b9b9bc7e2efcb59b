// heap/prune.cpp — pruning a page: plan, survey what remains, apply everything at once.
//
// Why:    dead versions, freezing and the visibility map are one decision about one page: one critical
//         section and one record, instead of up to three.
//
//     plan (prune_plan) -> survey: count, freeze plans, all-visible? -> apply: lines, tuples, VM, record
//     plain_page: nothing to prune, and all inserters alike          -> the same
//
// Invariants: prune.X1 nothing is written when nothing changes; hints alone are a hint change.
//         prune.X2 the VM is set only from prune_page (vacuum): pruning during a scan must not change plans
//            of concurrent queries in ways heap does not.
//         prune.X3 new_relfrozenxid of the caller is right only if the plans are applied: so they are.
// Locking: cleanup latch of the page; the VM buffer after it.
// Errors: may longjmp before the critical section: ERRCODE_DATA_CORRUPTED for damaged chains and tuples.
// WAL:    RecordType::prune, or RecordType::visible when only VM bits change.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/prune.hpp"

#include "base/xid_order.hpp"
#include "heap/handed_pages.hpp"
#include "heap/plain_page.hpp"
#include "heap/prune_plan.hpp"
#include "heap/row_access.hpp"
#include "mvcc/all_visible.hpp"
#include "mvcc/freeze.hpp"
#include "mvcc/visibility.hpp"
#include "vm/visibility_map.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {

namespace {

using After = PrunePlan::After;

// Freeze plans of a page; kept apart from the plan, because pruning during a scan has none.  Plans are made
// in their place (base/README.md has the number).
struct FreezeList {
    page::FreezePlan plans[page::kMaxTuplesPerPage];
    int count = 0;
    std::span<const page::FreezePlan> span() const noexcept {
        return {plans, static_cast<std::size_t>(count)};
    }
};

// ---- survey: what the page will hold after the plan is applied
class Survey {
public:
    Survey(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request, const PrunePlan &plan,
           FreezeList *freezes, PruneOutcome *out) noexcept
        : rel_(rel), page_(page), request_(request), plan_(plan), freezes_(freezes), out_(out) {}

    void run() {
        const page::PageView view = page_.view();
        const SlotNo last = view.max_slot();
        for (SlotNo slot = 1; slot <= last; ++slot) {
            if (request_.slot_in_work != nullptr) *request_.slot_in_work = slot;
            const After after = plan_.after(slot);
            const page::LinePointer line = view.line(slot);
            if (after == After::unused || !line.is_used()) continue;
            if (after == After::dead || (line.is_dead() && after == After::untouched)) {
                out_->dead_slots.push_back(slot);
            } else if (after == After::redirected || line.is_redirect()) {
                out_->has_storage_items = true;
            } else {
                take_tuple(slot);
            }
        }
        if (request_.slot_in_work != nullptr) *request_.slot_in_work = kInvalidSlot;
        out_->frozen = freezes_->count;
    }

private:
    void take_tuple(SlotNo slot) {
        HeapTupleHeader tuple = header_at(page_, slot);
        count(slot, tuple);
        out_->has_storage_items = true;
        if (request_.freeze == nullptr) return;
        const mvcc::FreezeOutcome freeze =
            mvcc::plan_freeze(tuple, slot, *request_.freeze, &freezes_->plans[freezes_->count],
                              &out_->new_relfrozenxid, &out_->new_relminmxid);
        if (freeze.must_freeze) ++freezes_->count;
        if (!freeze.totally_frozen) out_->all_frozen = false;
    }

    // Counts as ANALYZE does: who is at work on a row will correct the numbers when it commits.
    void count(SlotNo slot, HeapTupleHeader tuple) {
        switch (plan_.fate(slot)) {
            case HEAPTUPLE_LIVE:
                ++out_->live;
                if (out_->all_visible && !is_visible_to_all(tuple)) out_->all_visible = false;
                return;
            case HEAPTUPLE_RECENTLY_DEAD:
                ++out_->recently_dead;
                break;
            case HEAPTUPLE_INSERT_IN_PROGRESS:
                break;
            case HEAPTUPLE_DELETE_IN_PROGRESS:
                ++out_->live;
                break;
            case HEAPTUPLE_DEAD:
                if (must_be_linked(tuple)) report_unlinked(slot);
                ++out_->recently_dead;
        }
        out_->all_visible = false;
    }

    bool is_visible_to_all(HeapTupleHeader tuple) {
        const auto &head = *reinterpret_cast<const page::TupleHead *>(tuple);
        if (!mvcc::is_visible_to_all(head, request_.oldest_xmin, mvcc::CommitHint::needed)) return false;
        const Xid xmin = HeapTupleHeaderGetXmin(tuple);
        if (xid_precedes(out_->visibility_cutoff_xid, xmin)) out_->visibility_cutoff_xid = xmin;
        return true;
    }

    // Who made and updated it may have ended between the looks at the version before and at this one: then
    // the walk ended there, and this one waits for the next vacuum.  By the fixed horizon it is not dead.
    bool must_be_linked(HeapTupleHeader tuple) const {
        const Xid updater = mvcc::update_xid(tuple);
        return updater == kInvalidXid || xid_precedes(updater, request_.oldest_xmin);
    }

    // A dead tuple that no chain leads to, though it leads on itself, cannot come about.
    [[noreturn]] void report_unlinked(SlotNo slot) const {
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("dead tuple (%u,%u) of relation \"%s\" is not part of any HOT chain",
                               page_.block(), static_cast<unsigned>(slot), RelationGetRelationName(rel_))));
        pg_unreachable();
    }

    Relation rel_;
    const buffer::PinnedPage &page_;
    const PruneRequest &request_;
    const PrunePlan &plan_;
    FreezeList *freezes_;
    PruneOutcome *out_;
};

// ---- visibility map
struct MapChange {
    Buffer vmbuf = InvalidBuffer;  // InvalidBuffer: nothing to set
    std::uint8_t bits = 0;
    Xid cutoff = kInvalidXid;  // conflict horizon of the new bits
};

MapChange decide_map(const buffer::PinnedPage &page, const PruneRequest &request, const PruneOutcome &out) {
    if (!BufferIsValid(request.vmbuf) || !out.all_visible || !out.dead_slots.empty()) return {};
    const std::uint8_t want = out.all_frozen ? vm::kBothBits : vm::kAllVisibleBit;
    const std::uint8_t have = vm::get_bits(request.vmbuf, page.block());
    if ((want & ~have) == 0 && page.view().all_visible()) return {};
    // Going from all-visible to all-frozen takes nothing from any reader.
    const bool newly_visible = (have & vm::kAllVisibleBit) == 0;
    return {request.vmbuf, want, newly_visible ? out.visibility_cutoff_xid : kInvalidXid};
}

// ---- applying
struct Work {
    Relation rel;
    const buffer::PinnedPage &page;
    const PrunePlan *plan = nullptr;   // nullptr: the page is plain
    const PlainPage *plain = nullptr;  // else
    std::span<const page::FreezePlan> freezes{};
    Xid freeze_limit = kInvalidXid;  // meaningful when something freezes
    MapChange map{};

    bool freezes_all() const noexcept { return plain != nullptr && plain->freezes(); }
    bool wants_hints() const noexcept { return plain != nullptr && plain->wants_hints(); }
    bool freezes_any() const noexcept { return freezes_all() || !freezes.empty(); }
    bool changes_tuples() const noexcept {
        return freezes_any() || (plan != nullptr && plan->changes_lines());
    }
    Xid next_prune_xid() const noexcept { return plan != nullptr ? plan->next_prune_xid() : kInvalidXid; }
};

Xid conflict_horizon(const Work &work) {
    Xid horizon = work.plan != nullptr ? work.plan->latest_removed_xid() : kInvalidXid;
    const auto advance = [&horizon](Xid xid) noexcept {
        if (xid_precedes(horizon, xid)) horizon = xid;
    };
    if (work.freezes_any()) {
        Xid newest_frozen = work.freeze_limit;
        TransactionIdRetreat(newest_frozen);
        advance(newest_frozen);
    }
    advance(work.map.cutoff);
    return horizon;
}

void emit(const Work &work, Xid horizon) {
    if (!work.changes_tuples()) {
        wal::emit_visible(work.rel, work.page, work.map.vmbuf, work.map.bits, work.map.cutoff);
        return;
    }
    wal::PruneLog log = {};
    log.rel = work.rel;
    log.page = &work.page;
    if (work.plan != nullptr) {
        log.redirected = work.plan->redirected();
        log.now_dead = work.plan->dead();
        log.now_unused = work.plan->unused();
    }
    log.frozen = work.freezes;
    log.freezes_all = work.freezes_all();
    log.latest_removed_xid = horizon;
    log.vm = work.map.vmbuf;
    log.vm_bits = work.map.bits;
    wal::emit_prune(log);
}

// The page was looked at: a failed search for space need not be repeated until something happens to it.
bool hints_differ(const Work &work) noexcept {
    const page::PageView view = work.page.view();
    return view.prune_xid() != work.next_prune_xid() || view.full() || work.wants_hints();
}
void set_hints(const Work &work) noexcept {
    const page::PageEdit edit = work.page.edit();
    edit.set_prune_xid(work.next_prune_xid());
    edit.set_full(false);
    if (work.wants_hints()) edit.hint_all_committed();
}

void change_tuples(const Work &work) noexcept {
    const page::PageEdit edit = work.page.edit();
    if (work.freezes_all()) {
        edit.freeze_all();
    } else if (work.plan != nullptr) {
        edit.apply_prune(work.plan->redirected(), work.plan->dead(), work.plan->unused());
        edit.apply_freeze(work.freezes);
    }
}

void apply(const Work &work) {
    const bool sets_map = BufferIsValid(work.map.vmbuf);
    if (!work.changes_tuples() && !sets_map) {
        if (!hints_differ(work)) return;
        set_hints(work);
        work.page.mark_dirty_hint();
        return;
    }
    const Xid horizon = conflict_horizon(work);
    vm::VmLock map_lock(work.map.vmbuf);
    buffer::PageChange change;
    change.add(work.page);
    change_tuples(work);
    set_hints(work);
    if (sets_map) {
        work.page.edit().set_all_visible(true);
        vm::set_bits_locked(work.map.vmbuf, work.page.block(), work.map.bits);
    }
    if (RelationNeedsWAL(work.rel)) emit(work, horizon);
    change.finish();
}

void start_outcome(PruneOutcome *out, const PruneRequest &request) noexcept {
    const Xid relfrozenxid = out->new_relfrozenxid;
    const MultiXactId relminmxid = out->new_relminmxid;
    *out = {};
    out->new_relfrozenxid = relfrozenxid;
    out->new_relminmxid = relminmxid;
    out->all_visible = TransactionIdIsValid(request.oldest_xmin);
    out->all_frozen = request.freeze != nullptr;
}

// ---- pruning in passing

bool is_short_of_space(page::PageView view, std::size_t min_free) noexcept {
    return view.full() || view.free_space_for_tuple() < min_free;
}

// May the oldest deletion that the page's hint speaks of be forgotten?
bool has_removable(Relation rel, Xid prune_xid, GlobalVisState *vistest, pg::OldSnapshotLimit *limit) {
    if (::GlobalVisTestIsRemovableXid(vistest, prune_xid)) return true;
    if (!pg::old_snapshots_may_fail()) return false;
    if (!pg::limit_for_old_snapshots(vistest, rel, limit)) return false;
    return xid_precedes(prune_xid, limit->xmin);
}

// Cleanup latch held.
void prune_in_passing(Relation rel, const buffer::PinnedPage &page, GlobalVisState *vistest,
                      const pg::OldSnapshotLimit &limit) {
    PruneRequest request = {};
    request.vistest = vistest;
    request.old_snapshot = limit;
    PrunePlan plan(rel, page, request);
    plan.judge();
    plan.walk();
    apply({.rel = rel, .page = page, .plan = &plan});

    // Dead line pointers still wait for vacuum: only what is gone for good leaves its count.
    const int gone = plan.removed() - static_cast<int>(plan.dead().size());
    if (gone > 0) ::pgstat_update_heap_dead_tuples(rel, gone);
}

// ---- vacuum

Work work_of(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request, PruneOutcome *out) {
    const MapChange map = decide_map(page, request, *out);
    out->vm_set = BufferIsValid(map.vmbuf);
    out->vm_bits = map.bits;
    const Xid limit = request.freeze != nullptr ? request.freeze->freeze_limit : kInvalidXid;
    return {.rel = rel, .page = page, .freeze_limit = limit, .map = map};
}

// False, with nothing changed: the page is not plain.
bool vacuum_plain_page(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request,
                       PruneOutcome *out) {
    PlainPage plain(rel, page, request);
    if (!plain.is_plain()) return false;
    plain.fill(out);
    Work work = work_of(rel, page, request, out);
    work.plain = &plain;
    apply(work);
    return true;
}

}  // namespace

void prune_page(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request,
                PruneOutcome *out) {
    // The cleanup latch, that is; but others may have come since, whose pins wait for the latch.
    GH_ASSERT(page.latched_exclusive_by_me());
    start_outcome(out, request);
    if (request.freeze != nullptr && vacuum_plain_page(rel, page, request, out)) return;
    PrunePlan plan(rel, page, request);
    plan.judge();
    plan.walk();
    if (request.mark_unused_now) plan.reclaim_dead();

    FreezeList freezes;
    Survey(rel, page, request, plan, &freezes, out).run();
    out->removed = plan.removed();
    out->dead_reclaimed = plan.reclaimed();

    Work work = work_of(rel, page, request, out);
    work.plan = &plan;
    work.freezes = freezes.span();
    apply(work);
}

void prune_on_access(Relation rel, const buffer::PinnedPage &page) {
    // Called for every page that a scan reads: the usual answer must cost next to nothing.
    const Xid prune_xid = page.view().prune_xid();
    if (!TransactionIdIsValid(prune_xid) && !pg::old_snapshots_fail_at_once()) [[likely]]
        return;
    if (::RecoveryInProgress()) return;
    if (pg::old_snapshots_fail_at_once()) pg::age_snapshots_for_test();
    if (!TransactionIdIsValid(prune_xid)) return;

    GlobalVisState *vistest = ::GlobalVisTestFor(rel);
    pg::OldSnapshotLimit limit;
    if (!has_removable(rel, prune_xid, vistest, &limit)) return;

    // Unlatched, so only a guess; it is repeated under the latch.
    const std::size_t target = RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR);
    const std::size_t min_free = std::max<std::size_t>(target, BLCKSZ / 10);
    if (!is_short_of_space(page.view(), min_free)) return;
    if (is_handed_out(rel, page.block())) return;
    if (!page.try_latch_cleanup()) return;
    if (is_short_of_space(page.view(), min_free)) prune_in_passing(rel, page, vistest, limit);
    page.unlatch();
}

}  // namespace glassheap::heap
