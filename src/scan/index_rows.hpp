// scan/index_rows.hpp — what index builds and validation share: the root of each HOT chain, and the
//                       evaluation of an index's expressions and predicate.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "scan/scan_desc.hpp"

namespace glassheap::scan {

// The line pointers that index entries use for the rows of the scan's present block.
class RootMap {
public:
    // Reads the roots of the block if it is another one than before; returns whether it is.
    bool follow(const RowScan &scan);
    void refresh(const RowScan &scan);
    SlotNo root_of(SlotNo row) const noexcept { return roots_[row - 1]; }
    BlockNo block() const noexcept { return block_; }

private:
    BlockNo block_ = kInvalidBlock;
    SlotNo roots_[page::kMaxTuplesPerPage];
};

[[noreturn]] void complain_rootless(Relation rel, const ItemPointerData &tid);

// Evaluates an index's predicate and expressions on the row in `slot`.
struct IndexEvaluation {
    IndexInfo *info;
    EState *estate;
    ExprContext *context;
    TupleTableSlot *slot;
    ExprState *predicate;
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];

    void begin(Relation table, IndexInfo *index_info);
    bool evaluate();  // false: a partial index leaves the row out; else fills values and nulls
    void end();
};

}  // namespace glassheap::scan
