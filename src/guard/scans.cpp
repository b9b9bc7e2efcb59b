// guard/scans.cpp — see routed.hpp: heap's scans, and what is done to a whole table.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/routed.hpp"
#include "heap/row_access.hpp"
#include "scan/scan_desc.hpp"
#include "scan/scans.hpp"
#include "vacuum/vacuum.hpp"

namespace glassheap::guard::routed {

namespace {

// guard.R4.  Some library has kept a pointer to heap_beginscan from before it was guarded.
void require_ours(TableScanDesc desc) {
    if (scan::row_scan(desc).mark == scan::kRowScanMark) return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("glassheap table \"%s\" is read by a scan that heap's own function has begun",
                           RelationGetRelationName(desc->rs_rd)),
                    errhint("Put glassheap first in shared_preload_libraries."), errtable(desc->rs_rd)));
}

// Both kinds begin like a HeapTupleTableSlot, which is what scans fill in.
void require_slot(TupleTableSlot *slot) {
    if (slot->tts_ops != &TTSOpsHeapTuple && slot->tts_ops != &TTSOpsBufferHeapTuple)
        elog(ERROR, "trying to store an on-disk heap tuple into wrong type of slot");
    ::ExecClearTuple(slot);  // a buffer slot may hold a pin
}

// The pin lives as long as heap's: from the first row on, until there is none.
void hold_stand_in(TableScanDesc desc, bool found) {
    scan::RowScan &scan = scan::row_scan(desc);
    if (!found)
        scan::release_stand_in(scan);
    else if (!BufferIsValid(scan.stand_in))
        scan.stand_in = pin_stand_in();
}

// guard.R3.  The row is in the scan's page, which the scan leaves with its next step.
bool own_row(bool found, TableScanDesc desc, TupleTableSlot *slot) {
    hold_stand_in(desc, found);
    if (!found) return false;
    const HeapTuple in_page = &reinterpret_cast<HeapTupleTableSlot *>(slot)->tupdata;
    heap::require_within_page(desc->rs_rd, *in_page, scan::row_scan(desc).page);
    MemoryContext caller_context = MemoryContextSwitchTo(slot->tts_mcxt);
    HeapTuple copy = ::heap_copytuple(in_page);
    MemoryContextSwitchTo(caller_context);
    ::ExecForceStoreHeapTuple(copy, slot, true);
    slot->tts_tid = reinterpret_cast<HeapTupleTableSlot *>(slot)->tuple->t_self;
    slot->tts_tableOid = RelationGetRelid(desc->rs_rd);
    return true;
}

}  // namespace

TableScanDesc heap_beginscan(Relation rel, Snapshot snapshot, int nkeys, ScanKey key,
                             ParallelTableScanDesc parallel, uint32 flags) {
    return scan::begin(rel, snapshot, nkeys, key, parallel, flags);
}

void heap_setscanlimits(TableScanDesc desc, BlockNumber first, BlockNumber count) {
    require_ours(desc);
    scan::set_limits(scan::row_scan(desc), first, count);
}

void heap_rescan(TableScanDesc desc, ScanKey key, bool set_params, bool allow_strat, bool allow_sync,
                 bool allow_pagemode) {
    require_ours(desc);
    scan::rescan(desc, key, set_params, allow_strat, allow_sync, allow_pagemode);
}

void heap_endscan(TableScanDesc desc) {
    require_ours(desc);
    scan::end(desc);
}

HeapTuple heap_getnext(TableScanDesc desc, ScanDirection direction) {
    if (TransactionIdIsValid(CheckXidAlive) && !bsysscan)
        elog(ERROR, "unexpected heap_getnext call during logical decoding");
    require_ours(desc);
    HeapTuple tuple = scan::next_tuple(desc, direction);
    hold_stand_in(desc, tuple != nullptr);
    return tuple;
}

bool heap_getnextslot(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot) {
    require_ours(desc);
    require_slot(slot);
    return own_row(::gh_scan_next_row(desc, direction, slot), desc, slot);
}

void heap_set_tidrange(TableScanDesc desc, ItemPointer mintid, ItemPointer maxtid) {
    require_ours(desc);
    scan::set_tid_range(desc, mintid, maxtid);
}

bool heap_getnextslot_tidrange(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot) {
    require_ours(desc);
    require_slot(slot);
    return own_row(scan::next_tid_range(desc, direction, slot), desc, slot);
}

void heap_get_latest_tid(TableScanDesc desc, ItemPointer tid) {
    require_ours(desc);
    scan::get_latest_tid(desc, tid);
}

TransactionId heap_index_delete_tuples(Relation rel, TM_IndexDeleteOp *op) {
    return scan::index_delete_tuples(rel, op);
}

// Who reads the files afterwards finds the maps there as well, which are in shared_buffers.
void FlushRelationBuffers(Relation rel) {
    buffer::flush_relation(pg::owned_file_of(rel));
    ::FlushRelationBuffers(rel);
}

void heap_vacuum_rel(Relation rel, VacuumParams *params, BufferAccessStrategy strategy) {
    vacuum::vacuum_relation(rel, params, strategy);
}

}  // namespace glassheap::guard::routed
