// pg/pg_btree.hpp — where a btree scan stands in its leaf.
//
// Why:    look-ahead (scan/look_ahead) reads the addresses of the whole leaf.  `tid` of a fetch is
//         no more than an address, but core passes the address of a field of the IndexScanDesc.
// Invariants: scan.L2 the IndexScanDesc is believed only if tid and call_again lie as far apart as these two
//            fields do, and if its fetch state is ours: other callers pass variables of their own.
// Versions: 16, 17 and 18 have the same fields; if one has not, position_of_fetch says nullptr and nothing is
//         looked ahead.
// Errors: never longjmps.
// See:    PG: access/nbtree.h (BTScanPosData), access/index/indexam.c (index_fetch_heap)
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_am_d.h"
}

namespace glassheap::pg {

// The leaf's matching items, first() .. last(), in index order; current() was fetched last.
class LeafPosition {
public:
    LeafPosition(const BTScanPosData *position, bool index_only) noexcept
        : position_(position), index_only_(index_only) {}
    explicit operator bool() const noexcept { return position_ != nullptr; }
    BlockNumber leaf() const noexcept { return position_->currPage; }
    int first() const noexcept { return position_->firstItem; }
    int last() const noexcept { return position_->lastItem; }
    int current() const noexcept { return position_->itemIndex; }
    bool has(int item) const noexcept { return item >= first() && item <= last(); }
    // The rows of few items may be asked for: of those whose page is not all-visible.
    bool is_index_only() const noexcept { return index_only_; }
    const ItemPointerData &tid(int item) const noexcept { return position_->items[item].heapTid; }

private:
    const BTScanPosData *position_;
    bool index_only_;
};

// scan.L2: the position of the btree scan that makes this fetch, or none.
inline LeafPosition position_of_fetch(IndexFetchTableData *fetch, ItemPointer tid,
                                      bool *call_again) noexcept {
    constexpr std::ptrdiff_t kTidField = offsetof(IndexScanDescData, xs_heaptid);
    constexpr std::ptrdiff_t kAgainField = offsetof(IndexScanDescData, xs_heap_continue);
    const LeafPosition none(nullptr, false);
    const auto *tid_bytes = reinterpret_cast<const char *>(tid);
    const auto *again_bytes = reinterpret_cast<const char *>(call_again);
    if (again_bytes - tid_bytes != kAgainField - kTidField) return none;
    const auto *scan = reinterpret_cast<const IndexScanDescData *>(tid_bytes - kTidField);
    if (scan->xs_heapfetch != fetch || scan->opaque == nullptr) return none;
    if (scan->indexRelation->rd_rel->relam != BTREE_AM_OID) return none;
    const LeafPosition position(&static_cast<const BTScanOpaqueData *>(scan->opaque)->currPos,
                                scan->xs_want_itup);
    if (!BlockNumberIsValid(position.leaf()) || !position.has(position.current())) return none;
    return position;
}

}  // namespace glassheap::pg
