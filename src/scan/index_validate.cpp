// scan/index_validate.cpp — second pass of CREATE INDEX CONCURRENTLY: rows that the index has missed.
//
// Why:    the index's TIDs come sorted, the table is read in the same order, and the two are merged; what is
//         in the table but not in the index is inserted.
// Invariants: scan.V1 the table is read from block 0 forward.
//         scan.V2 rows of a block come in line pointer order but are compared by their roots, which may come
//            in another order: TIDs of the present block already passed are remembered.
// Locking: ShareUpdateExclusiveLock on the table; latches per page only.
// Errors: may longjmp (among others unique violations from the index).
// See:    PG: access/heap/heapam_handler.c, catalog/index.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_tuplesort.hpp"
#include "scan/index_rows.hpp"
#include "scan/scans.hpp"

namespace glassheap::scan {

namespace {

// The sorted TIDs of the index, consumed up to the row at hand.
class IndexTids {
public:
    IndexTids(Relation index, Tuplesortstate *sorted) noexcept : index_(index), sorted_(sorted) {}

    void enter_block(BlockNo block) noexcept {
        block_ = block;
        std::memset(passed_, 0, sizeof passed_);
    }
    // Is there an entry for `root`?  Roots may go back, within the present block.
    bool has(ItemPointerData root) {
        while (!exhausted_ && (!has_current_ || ::ItemPointerCompare(&current_, &root) < 0)) {
            if (has_current_ && ItemPointerGetBlockNumber(&current_) == block_)
                passed_[ItemPointerGetOffsetNumber(&current_) - 1] = true;
            fetch();
        }
        if (!exhausted_ && ::ItemPointerEquals(&current_, &root)) return true;
        return passed_[ItemPointerGetOffsetNumber(&root) - 1];
    }

private:
    void fetch() {
        Datum value;
        bool is_null;
        has_current_ = pg::next_sorted_datum(sorted_, &value, &is_null);
        exhausted_ = !has_current_;
        if (!has_current_) return;
        ::itemptr_decode(&current_, DatumGetInt64(value));
        const SlotNo slot = ItemPointerGetOffsetNumberNoCheck(&current_);
        if (slot < 1 || slot > page::kMaxTuplesPerPage) [[unlikely]]
            complain_impossible();
    }

    [[noreturn]] void complain_impossible() const {
        ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                        errmsg("index \"%s\" has an entry for row (%u,%u), which no page can have",
                               RelationGetRelationName(index_), ItemPointerGetBlockNumberNoCheck(&current_),
                               ItemPointerGetOffsetNumberNoCheck(&current_)),
                        errhint("The index is damaged.  Drop it and build it again."), errtable(index_)));
        pg_unreachable();
    }

    Relation index_;
    Tuplesortstate *sorted_;
    BlockNo block_ = kInvalidBlock;
    ItemPointerData current_;
    bool has_current_ = false;
    bool exhausted_ = false;
    bool passed_[page::kMaxTuplesPerPage];
};
static_assert(FLOAT8PASSBYVAL, "sorted TIDs would have to be freed");

ItemPointerData root_tid(Relation table, HeapTuple tuple, const RootMap &roots) {
    ItemPointerData tid = tuple->t_self;
    if (!HeapTupleIsHeapOnly(tuple)) return tid;
    const SlotNo root = roots.root_of(ItemPointerGetOffsetNumber(&tid));
    if (root == kInvalidSlot) complain_rootless(table, tid);
    ItemPointerSetOffsetNumber(&tid, root);
    return tid;
}

}  // namespace

void index_validate(Relation table, Relation index, IndexInfo *info, Snapshot snapshot,
                    ValidateIndexState *state) {
    IndexEvaluation evaluation;
    evaluation.begin(table, info);
    // scan.V1: no synchronised scan.
    TableScanDesc sscan = ::table_beginscan_strat(table, snapshot, 0, nullptr, true, false);
    RowScan &scan = row_scan(sscan);
    ::pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, scan.block_count);

    IndexTids in_index(index, state->tuplesort);
    RootMap roots;
    while (gh_scan_next_row(sscan, ForwardScanDirection, evaluation.slot)) {
        CHECK_FOR_INTERRUPTS();
        state->htups += 1;
        if (roots.follow(scan)) {
            ::pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, scan.block);
            in_index.enter_block(scan.block);
        }
        HeapTuple tuple = reinterpret_cast<HeapTupleTableSlot *>(evaluation.slot)->tuple;
        ItemPointerData root = root_tid(table, tuple, roots);
        if (in_index.has(root) || !evaluation.evaluate()) continue;
        // Uniqueness is checked even for a row that is dead by now: it stands for its whole chain, and a
        // successor will not have made an entry of its own.
        ::index_insert(index, evaluation.values, evaluation.nulls, &root, table,
                       info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
        state->tups_inserted += 1;
    }
    ::table_endscan(sscan);
    evaluation.end();
}

}  // namespace glassheap::scan
