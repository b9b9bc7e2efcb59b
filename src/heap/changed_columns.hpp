// heap/changed_columns.hpp — which kinds of columns an update changes.
//
// Why:    three decisions hang on it: HOT or not (any indexed column), the strength of the row lock (columns
//         a foreign key may refer to), and whether the old key must be logged (identity columns).
// Errors: fetch may longjmp (catalog access): call it without a page latch.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_index_columns.hpp"

namespace glassheap::heap {

struct ColumnChanges {
    bool indexed;          // some column of some index: no HOT update
    bool key;              // some column of a unique index that a foreign key may refer to
    bool identity;         // some column of the replica identity
    bool identity_is_out;  // an unchanged identity column of the old row is stored out of line
};

// The sets of columns to look at.  Normally the relation cache's own sets are looked at in place; copies are
// made only when the cache has none (no index, or just invalidated).
class ColumnSets {
public:
    explicit ColumnSets(Relation rel) noexcept : rel_(rel) {}
    // Makes sure that compare() will find sets.
    void fetch();
    // False: the cache was invalidated since fetch(); unlatch and fetch again.
    bool ready() const noexcept;
    // Compares bytes, so equal values in different representations count as changed, which is safe.
    // The page of old_tuple is latched.
    ColumnChanges compare(HeapTuple old_tuple, HeapTuple new_tuple) const;
    void free_copies();

private:
    Relation rel_;
    bool copied_ = false;
    pg::IndexColumns copy_ = {};
};

}  // namespace glassheap::heap
