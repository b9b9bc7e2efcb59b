// pg/pg_index_columns.hpp — which columns matter for an update, by the relation cache; and what an update
// tells the executor about the indexes.
//
// Versions: 16 splits the indexed columns in those that forbid HOT (rd_hotblockingattr) and those of
// summarizing
//         indexes only (rd_summarizedattr), says with rd_attrsvalid whether the sets are there, and takes
//         TU_UpdateIndexes for the bool.
// Errors: copy_index_columns may longjmp (catalog access).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

// Which indexes need an entry for a new version.
enum class StaleIndexes : std::uint8_t {
    none,  // it is heap-only
    all,
};

struct IndexColumns {  // offset by FirstLowInvalidHeapAttributeNumber; keys and identity are subsets of
                       // indexed
    const Bitmapset *indexed;
    const Bitmapset *key;       // of unique indexes that a foreign key may refer to
    const Bitmapset *identity;  // of the replica identity
};

// Are they in the cache?  Until the next invalidation.
inline bool has_index_columns(Relation rel) noexcept {
    return rel->rd_indexattr != nullptr;
}
inline IndexColumns index_columns(Relation rel) noexcept {
    return {rel->rd_indexattr, rel->rd_keyattr, rel->rd_idattr};
}
inline IndexColumns copy_index_columns(Relation rel) {
    return {::RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_ALL),
            ::RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY),
            ::RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_IDENTITY_KEY)};
}
inline void free_index_columns(const IndexColumns &copy) {
    ::bms_free(const_cast<Bitmapset *>(copy.indexed));
    ::bms_free(const_cast<Bitmapset *>(copy.key));
    ::bms_free(const_cast<Bitmapset *>(copy.identity));
}

}  // namespace glassheap::pg
