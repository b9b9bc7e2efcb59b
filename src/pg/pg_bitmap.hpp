// pg/pg_bitmap.hpp — the executor's bitmap heap scans, and a second iteration of their bitmaps.
//
// Why:    the node announces the pages to come by looking into shared_buffers, where ours are not
//         (scan/bitmap_ahead).
// Invariants: scan.B1 a node is changed before it runs first; a parallel-aware one never: its processes must
//            agree on whether they share a prefetching iterator.
// Versions: 16 gives planstate_tree_walker's callback a type; 18 has neither prefetch_maximum nor tbm here,
//         but gives the access method the bitmap (rs_tbmiterator).
// Errors: may longjmp (memory, stack depth).
// See:    PG: executor/nodeBitmapHeapscan.c, nodes/tidbitmap.c (facts)
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
}

namespace glassheap::pg {

using BitmapNode = BitmapHeapScanState;

inline BitmapNode *bitmap_node(PlanState *state) noexcept {
    return IsA(state, BitmapHeapScanState) ? reinterpret_cast<BitmapNode *>(state) : nullptr;
}
inline Relation table_of(const BitmapNode *node) noexcept {
    return node->ss.ss_currentRelation;
}
inline TableScanDesc scan_of(const BitmapNode *node) noexcept {
    return node->ss.ss_currentScanDesc;
}
// scan.B1
inline bool is_private(const BitmapNode *node) noexcept {
    return !node->ss.ps.plan->parallel_aware;
}
inline MemoryContext query_memory(const BitmapNode *node) noexcept {
    return node->ss.ps.state->es_query_cxt;
}
// From now on the node announces nothing; returns how many pages ahead it would have.
inline int take_over_prefetch(BitmapNode *node) noexcept {
    return std::exchange(node->prefetch_maximum, 0);
}

// Calls `visit` for the node and all below, those of its subplans and CTEs too, until it says true: it goes
// down itself, by visit_below.
using NodeVisitor = bool (*)(PlanState *, void *);
inline void visit_below(PlanState *state, NodeVisitor visit, void *argument) {
    // Over void (*)(): gcc does not warn of that.
    (void)::planstate_tree_walker(state, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(visit)),
                                  argument);
}

// The node's bitmap from its beginning, beside the node's own iteration.  Ends with the bitmap: must not be
// used after a rescan.
class SecondIteration {
public:
    bool began() const noexcept { return iterator_ != nullptr; }
    void begin(const BitmapNode *node) {
        MemoryContext before = ::MemoryContextSwitchTo(query_memory(node));
        iterator_ = ::tbm_begin_iterate(node->tbm);
        ::MemoryContextSwitchTo(before);
    }
    const TBMIterateResult *next() { return ::tbm_iterate(iterator_); }
    void end() noexcept {
        if (iterator_ != nullptr) ::tbm_end_iterate(std::exchange(iterator_, nullptr));
    }

private:
    TBMIterator *iterator_ = nullptr;
};

}  // namespace glassheap::pg
