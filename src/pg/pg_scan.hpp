// pg/pg_scan.hpp — parts of scan descriptors, and calls of scans, that differ between versions.
//
// Versions: 16 made HeapKeyTest an inline function that returns; 18 keeps the range of a TID scan in a union
//         (st.tidrange), gives index_beginscan an instrument, and iterates the bitmap within the table access
//         method: its TBMIterateResult has `lossy` and internal_page (tbm_extract_page_tuple) for ntuples,
//         offsets, and cached places of columns in TupleDescCompactAttr.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

// ---- bitmap scans: what the bitmap says of one block
using BitmapPage = TBMIterateResult;

inline BlockNumber block_of(const BitmapPage &page) noexcept {
    return page.blockno;
}
// Lossy: any row of the block may be wanted.
inline bool is_lossy(const BitmapPage &page) noexcept {
    return page.ntuples < 0;
}
inline int row_count(const BitmapPage &page) noexcept {
    return page.ntuples;
}
inline OffsetNumber row_at(const BitmapPage &page, int index) noexcept {
    return page.offsets[index];
}

// ---- TID range scans
struct TidRange {
    ItemPointerData &lowest;
    ItemPointerData &highest;
};
inline TidRange tid_range(TableScanDesc scan) noexcept {
    return {scan->rs_mintid, scan->rs_maxtid};
}

// Once for each row of a scan with keys: left to itself the compiler makes it a call.
pg_attribute_always_inline bool matches_keys(HeapTuple tuple, TupleDesc columns, int key_count,
                                             ScanKey keys) {
    bool matches;
    HeapKeyTest(tuple, columns, key_count, keys, matches);
    return matches;
}

// ---- leading columns at places that core has found and cached
// Where they end; -1: not known, or not the same in every row.
inline int end_of_fixed_columns(TupleDesc columns, int count) noexcept {
    for (int i = 0; i < count; ++i) {
        if (TupleDescAttr(columns, i)->attcacheoff < 0 || TupleDescAttr(columns, i)->attlen <= 0) return -1;
    }
    return TupleDescAttr(columns, count - 1)->attcacheoff + TupleDescAttr(columns, count - 1)->attlen;
}
inline Datum fixed_column(TupleDesc columns, int i, const char *data) noexcept {
    const FormData_pg_attribute *column = TupleDescAttr(columns, i);
    return fetchatt(column, data + column->attcacheoff);
}

// The whole index, whatever is visible.
inline IndexScanDesc begin_whole_index_scan(Relation table, Relation index) {
    return ::index_beginscan(table, index, SnapshotAny, 0, 0);
}

}  // namespace glassheap::pg
