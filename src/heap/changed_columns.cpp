// heap/changed_columns.cpp — see heap/changed_columns.hpp.
//
// Errors: fetch may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/changed_columns.hpp"

namespace glassheap::heap {
namespace {

// Is the column, offset as in the relation cache's sets, the same in both versions?
// *out_of_line: it is, and the old version stores it out of line.
bool same_value(TupleDesc desc, int column, HeapTuple old_tuple, HeapTuple new_tuple, bool *out_of_line) {
    *out_of_line = false;
    const int number = column + FirstLowInvalidHeapAttributeNumber;
    // Whole rows and system columns (but tableoid) differ between versions by nature.
    if (number <= 0) return number == TableOidAttributeNumber;
    bool old_null;
    bool new_null;
    const Datum old_value = ::heap_getattr(old_tuple, number, desc, &old_null);
    const Datum new_value = ::heap_getattr(new_tuple, number, desc, &new_null);
    if (old_null || new_null) return old_null && new_null;
    const FormData_pg_attribute *attribute = TupleDescAttr(desc, number - 1);
    if (!::datumIsEqual(old_value, new_value, attribute->attbyval, attribute->attlen)) return false;
    *out_of_line = attribute->attlen == -1 && VARATT_IS_EXTERNAL(DatumGetPointer(old_value));
    return true;
}

}  // namespace

void ColumnSets::fetch() {
    if (pg::has_index_columns(rel_) || !rel_->rd_rel->relhasindex) return;
    free_copies();
    copy_ = pg::copy_index_columns(rel_);
    copied_ = true;
}

bool ColumnSets::ready() const noexcept {
    return pg::has_index_columns(rel_) || copied_ || !rel_->rd_rel->relhasindex;
}

ColumnChanges ColumnSets::compare(HeapTuple old_tuple, HeapTuple new_tuple) const {
    ColumnChanges changes{};
    if (!rel_->rd_rel->relhasindex) return changes;
    // The sets of keys and identity columns are subsets of the indexed columns.
    const auto [indexed, key, identity] = pg::has_index_columns(rel_) ? pg::index_columns(rel_) : copy_;
    TupleDesc desc = RelationGetDescr(rel_);
    for (int column = -1; (column = ::bms_next_member(indexed, column)) >= 0;) {
        bool out_of_line;
        if (same_value(desc, column, old_tuple, new_tuple, &out_of_line)) {
            if (out_of_line && ::bms_is_member(column, identity)) changes.identity_is_out = true;
            continue;
        }
        changes.indexed = true;
        if (::bms_is_member(column, key)) changes.key = true;
        if (::bms_is_member(column, identity)) changes.identity = true;
    }
    return changes;
}

void ColumnSets::free_copies() {
    if (!copied_) return;
    pg::free_index_columns(copy_);
    copy_ = {};
    copied_ = false;
}

}  // namespace glassheap::heap
