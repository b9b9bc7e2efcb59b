// guard/scans.cpp — see routed.hpp: heap's scans, and what is done to a whole table.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/routed.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "vacuum/vacuum.hpp"

namespace glassheap::guard::routed {

TableScanDesc heap_beginscan(Relation rel, Snapshot snapshot, int nkeys, ScanKey key,
                             ParallelTableScanDesc parallel, uint32 flags) {
    return scan::begin(rel, snapshot, nkeys, key, parallel, flags);
}

void heap_setscanlimits(TableScanDesc desc, BlockNumber first, BlockNumber count) {
    scan::set_limits(scan::row_scan(desc), first, count);
}

void heap_rescan(TableScanDesc desc, ScanKey key, bool set_params, bool allow_strat, bool allow_sync,
                 bool allow_pagemode) {
    scan::rescan(desc, key, set_params, allow_strat, allow_sync, allow_pagemode);
}

void heap_endscan(TableScanDesc desc) {
    scan::end(desc);
}

HeapTuple heap_getnext(TableScanDesc desc, ScanDirection direction) {
    if (TransactionIdIsValid(CheckXidAlive) && !bsysscan)
        elog(ERROR, "unexpected heap_getnext call during logical decoding");
    scan::RowScan &scan = scan::row_scan(desc);
    if (!BufferIsValid(scan.stand_in)) scan.stand_in = pin_stand_in(desc->rs_rd);
    return scan::next_tuple(desc, direction);
}

bool heap_getnextslot(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot) {
    return ::gh_scan_next_row(desc, direction, slot);
}

void heap_set_tidrange(TableScanDesc desc, ItemPointer mintid, ItemPointer maxtid) {
    scan::set_tid_range(desc, mintid, maxtid);
}

bool heap_getnextslot_tidrange(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot) {
    return scan::next_tid_range(desc, direction, slot);
}

void heap_get_latest_tid(TableScanDesc desc, ItemPointer tid) {
    scan::get_latest_tid(desc, tid);
}

TransactionId heap_index_delete_tuples(Relation rel, TM_IndexDeleteOp *op) {
    return scan::index_delete_tuples(rel, op);
}

void heap_vacuum_rel(Relation rel, VacuumParams *params, BufferAccessStrategy strategy) {
    vacuum::vacuum_relation(rel, params, strategy);
}

}  // namespace glassheap::guard::routed
