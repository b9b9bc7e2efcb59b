// heap/prune_plan.hpp — which line pointers of a page pruning would change, and to what.
//
// Why:    deciding comes first and changes nothing, so that the critical section only applies.
//
//     root -> v1 (dead) -> v2 (recently dead) -> v3 (dead) -> v4 (live)
//     becomes: root = redirect to v4; v2, v3 unused (v1's storage was root's own)
//
// Invariants: prune.P1 the fate of every tuple is asked once, before any chain is walked: a second answer
//            could differ, and a version reached on two ways must look the same on both.
//         prune.P2 every dead version loses its storage, also recently dead ones in front of a dead one.
//         prune.P3 heap-only tuples become unused at once, others leave a dead line pointer for index
//         entries.
// Locking: cleanup latch held.
// Errors: judge may longjmp (transaction look-ups); so may walk (multixacts).
// See:    PG: access/heap/pruneheap.c (facts).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/prune.hpp"
#include "page/page_edit.hpp"

namespace glassheap::heap {

class PrunePlan {
public:
    // What becomes of a line pointer.
    enum class After : std::uint8_t { untouched, redirected, redirect_target, dead, unused };

    PrunePlan(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request) noexcept;

    void judge();  // asks the fate of all tuples
    void walk();   // plans the changes

    // With no index to clean first: dead line pointers, planned and old ones, become unused at once.
    void reclaim_dead() noexcept;

    bool changes_lines() const noexcept { return redirected_.size() + dead_.size() + unused_.size() > 0; }
    std::span<const page::Redirect> redirected() const noexcept { return span_of(redirected_); }
    std::span<const SlotNo> dead() const noexcept { return span_of(dead_); }
    std::span<const SlotNo> unused() const noexcept { return span_of(unused_); }
    After after(SlotNo slot) const noexcept { return after_[slot]; }
    HTSV_Result fate(SlotNo slot) const noexcept { return static_cast<HTSV_Result>(fate_[slot]); }
    int removed() const noexcept { return removed_; }  // tuples that lose their storage
    int reclaimed() const noexcept { return reclaimed_; }
    Xid next_prune_xid() const noexcept { return next_prune_xid_; }
    Xid latest_removed_xid() const noexcept { return latest_removed_xid_; }

private:
    struct Chain {
        page::SlotList members;
        std::size_t dead = 0;  // how many members there are up to the last dead one
    };

    HTSV_Result judge_tuple(SlotNo slot);
    bool is_plainly_live(HeapTupleHeader tuple) const noexcept;
    bool is_removable(Xid dead_after);
    bool is_removable_by_old_snapshot(Xid dead_after);
    void walk_from(SlotNo root);
    bool take_lone_heap_only(SlotNo slot);
    void collect(SlotNo root, Chain *chain);
    bool continues_at(SlotNo slot) const noexcept;
    bool has_no_past(SlotNo first) const noexcept;
    bool enter_member(SlotNo slot, Chain *chain);
    void cut(SlotNo root, const Chain &chain);
    void note_prunable(Xid xid) noexcept;
    void set_redirect(SlotNo from, SlotNo to) noexcept;
    void set_dead(SlotNo slot) noexcept;
    void set_unused(SlotNo slot) noexcept;
    void at_slot(SlotNo slot) const noexcept;
    HeapTupleHeader header(SlotNo slot) const noexcept;

    Relation rel_;
    const buffer::PinnedPage &page_;
    page::PageView view_;
    const PruneRequest &request_;
    SlotNo last_slot_;
    pg::OldSnapshotLimit old_snapshot_;
    bool old_snapshot_used_ = false;
    Xid hinted_xmin_ = kInvalidXid;  // the last inserter that was hinted as committed here

    Xid next_prune_xid_ = kInvalidXid;
    Xid latest_removed_xid_ = kInvalidXid;
    int removed_ = 0;
    int reclaimed_ = 0;
    FixedVector<page::Redirect, page::kMaxTuplesPerPage> redirected_;
    page::SlotList dead_;
    page::SlotList unused_;
    After after_[page::kMaxTuplesPerPage + 1];
    std::int8_t fate_[page::kMaxTuplesPerPage + 1];  // HTSV_Result; valid for normal line pointers
};

}  // namespace glassheap::heap
