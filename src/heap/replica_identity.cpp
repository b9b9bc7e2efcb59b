// heap/replica_identity.cpp — REPLICA IDENTITY of deleted and updated rows.
//
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/replica_identity.hpp"

namespace glassheap::heap {
namespace {

// The tuple with nothing but the identity columns, all inline.
HeapTuple form_key(Relation rel, HeapTuple old_tuple, const Bitmapset *key_columns) {
    TupleDesc desc = RelationGetDescr(rel);
    const auto columns = static_cast<Size>(desc->natts);
    auto *values = static_cast<Datum *>(::palloc(columns * sizeof(Datum)));
    auto *nulls = static_cast<bool *>(::palloc(columns * sizeof(bool)));
    ::heap_deform_tuple(old_tuple, desc, values, nulls);
    for (int i = 0; i < desc->natts; ++i)
        if (!::bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, key_columns)) nulls[i] = true;
    HeapTuple key = ::heap_form_tuple(desc, values, nulls);
    ::pfree(values);
    ::pfree(nulls);
    if (HeapTupleHasExternal(key)) {
        HeapTuple flat = ::toast_flatten_tuple(key, desc);
        ::heap_freetuple(key);
        key = flat;
    }
    return key;
}

}  // namespace

HeapTuple old_row_for_log(Relation rel, HeapTuple old_tuple, bool key_required, bool *copied) {
    *copied = false;
    if (!RelationIsLogicallyLogged(rel)) [[likely]]
        return nullptr;
    const char identity = rel->rd_rel->relreplident;
    if (identity == REPLICA_IDENTITY_NOTHING) return nullptr;
    if (identity == REPLICA_IDENTITY_FULL) {
        if (!HeapTupleHasExternal(old_tuple)) return old_tuple;
        *copied = true;
        return ::toast_flatten_tuple(old_tuple, RelationGetDescr(rel));
    }
    if (!key_required) return nullptr;
    Bitmapset *key_columns = ::RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY);
    if (bms_is_empty(key_columns)) return nullptr;
    HeapTuple key = form_key(rel, old_tuple, key_columns);
    ::bms_free(key_columns);
    *copied = true;
    return key;
}

}  // namespace glassheap::heap
