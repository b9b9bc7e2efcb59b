// scan/index_rows.cpp — roots of HOT chains, and index expressions.
// Errors: may longjmp; ERRCODE_DATA_CORRUPTED for a heap-only tuple without a root.
// SPDX-License-Identifier: PostgreSQL
#include "scan/index_rows.hpp"

#include "heap/fetch.hpp"

namespace glassheap::scan {

bool RootMap::follow(const RowScan &scan) {
    if (scan.block == block_) return false;
    refresh(scan);
    return true;
}

// The pin keeps prune away, and with it everything that would move roots.
void RootMap::refresh(const RowScan &scan) {
    const buffer::ShareLatch latch(scan.page);
    heap::root_slots(scan.page.view(), roots_);
    block_ = scan.block;
}

void complain_rootless(Relation rel, const ItemPointerData &tid) {
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg_internal("failed to find parent tuple for heap-only tuple at (%u,%u) in table \"%s\"",
                             ItemPointerGetBlockNumberNoCheck(&tid), ItemPointerGetOffsetNumberNoCheck(&tid),
                             RelationGetRelationName(rel))));
    pg_unreachable();
}

void IndexEvaluation::begin(Relation table, IndexInfo *index_info) {
    info = index_info;
    estate = ::CreateExecutorState();
    context = GetPerTupleExprContext(estate);
    slot = ::table_slot_create(table, nullptr);
    context->ecxt_scantuple = slot;
    predicate = ::ExecPrepareQual(info->ii_Predicate, estate);
}

bool IndexEvaluation::evaluate() {
    ::MemoryContextReset(context->ecxt_per_tuple_memory);
    if (predicate != nullptr && !::ExecQual(predicate, context)) return false;
    ::FormIndexDatum(info, slot, estate, values, nulls);
    return true;
}

void IndexEvaluation::end() {
    ::ExecDropSingleTupleTableSlot(slot);
    ::FreeExecutorState(estate);
    // They lived in the executor state.
    info->ii_ExpressionsState = NIL;
    info->ii_PredicateState = nullptr;
}

}  // namespace glassheap::scan
