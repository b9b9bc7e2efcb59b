// guard/catalog.cpp — see routed.hpp: rows written with their index entries.
//
// Why:    extensions that keep tables of their own write them the way PostgreSQL writes catalogs.
// Invariants: guard.C1 no index entry for a heap-only row: its chain is found through the entry it has.
// See:    PG: catalog/indexing.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/routed.hpp"
#include "heap/rows.hpp"

namespace glassheap::guard::routed {

namespace {

// These functions have no executor state to evaluate anything in.  (With heap they would crash, or index rows
// that do not belong into a partial index.)
void require_plain_index(Relation index, const IndexInfo *info) {
    if (info->ii_Expressions == NIL && info->ii_Predicate == NIL && info->ii_ExclusionOps == nullptr) return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("index \"%s\" cannot be kept up to date by catalog functions",
                           RelationGetRelationName(index)),
                    errdetail("It has expressions, a predicate, or is an exclusion constraint.")));
}

void add_index_entries(CatalogIndexState indexes, TupleTableSlot *slot, ItemPointer tid) {
    Relation rel = indexes->ri_RelationDesc;
    for (int i = 0; i < indexes->ri_NumIndices; ++i) {
        IndexInfo *info = indexes->ri_IndexRelationInfo[i];
        Relation index = indexes->ri_IndexRelationDescs[i];
        if (!info->ii_ReadyForInserts) continue;
        require_plain_index(index, info);
        Datum values[INDEX_MAX_KEYS];
        bool nulls[INDEX_MAX_KEYS];
        ::FormIndexDatum(info, slot, nullptr, values, nulls);
        ::index_insert(index, values, nulls, tid, rel,
                       index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
    }
}

void index_tuple(CatalogIndexState indexes, HeapTuple tuple) {
    if (HeapTupleIsHeapOnly(tuple) || indexes->ri_NumIndices == 0) return;  // guard.C1
    TupleTableSlot *slot =
        ::MakeSingleTupleTableSlot(RelationGetDescr(indexes->ri_RelationDesc), &TTSOpsHeapTuple);
    ::ExecStoreHeapTuple(tuple, slot, false);
    add_index_entries(indexes, slot, &tuple->t_self);
    ::ExecDropSingleTupleTableSlot(slot);
}

}  // namespace

void CatalogTupleInsertWithInfo(Relation rel, HeapTuple tuple, CatalogIndexState indexes) {
    routed::simple_heap_insert(rel, tuple);
    index_tuple(indexes, tuple);
}

void CatalogTupleInsert(Relation rel, HeapTuple tuple) {
    CatalogIndexState indexes = ::CatalogOpenIndexes(rel);
    routed::CatalogTupleInsertWithInfo(rel, tuple, indexes);
    ::CatalogCloseIndexes(indexes);
}

void CatalogTuplesMultiInsertWithInfo(Relation rel, TupleTableSlot **slots, int count,
                                      CatalogIndexState indexes) {
    if (count <= 0) return;
    heap::multi_insert(rel, slots, count, ::GetCurrentCommandId(true), 0, nullptr);
    for (int i = 0; i < count; ++i) add_index_entries(indexes, slots[i], &slots[i]->tts_tid);
}

void CatalogTupleUpdateWithInfo(Relation rel, ItemPointer tid, HeapTuple tuple, CatalogIndexState indexes) {
    routed::simple_heap_update(rel, tid, tuple);
    index_tuple(indexes, tuple);
}

void CatalogTupleUpdate(Relation rel, ItemPointer tid, HeapTuple tuple) {
    CatalogIndexState indexes = ::CatalogOpenIndexes(rel);
    routed::CatalogTupleUpdateWithInfo(rel, tid, tuple, indexes);
    ::CatalogCloseIndexes(indexes);
}

void CatalogTupleDelete(Relation rel, ItemPointer tid) {
    routed::simple_heap_delete(rel, tid);
}

}  // namespace glassheap::guard::routed
