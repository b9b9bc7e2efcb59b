// scan/analyze_file.cpp — ANALYZE on a server that has no pool: rows are read from the file, page by page.
//
// Why:    where the library is not preloaded nothing can write our tables, but ANALYZE of a whole
//         database must go through them, and a table AM cannot decline it: a scan without rows would set
//         reltuples to 0.
// Invariants: scan.F1 pages are private copies: nothing is cached, no hint bit is set, nothing is written.
// Errors: DATA_CORRUPTED for a page that does not verify; may longjmp (everything is abandonable).
// See:    scan/analyze.cpp; am/table_am.cpp chooses between the two.
// SPDX-License-Identifier: PostgreSQL
#include "scan/analyze_count.hpp"
#include "scan/scans.hpp"
#include "scan/slot.hpp"
#include "storage/files.hpp"

namespace glassheap::scan {

namespace {

struct FileScan {
    TableScanDescData base;  // must be first
    AnalyzedPage page;
    SlotNo row;
};
static_assert(std::is_standard_layout_v<FileScan> && offsetof(FileScan, base) == 0);

FileScan &file_scan(TableScanDesc scan) noexcept {
    return *reinterpret_cast<FileScan *>(scan);
}

void read_page_of_file(FileScan &scan, BlockNo block) {
    const pg::RelFile &file = pg::file_of(scan.base.rs_rd);
    storage::read_block(file, pg::kNoBackend, MAIN_FORKNUM, block, scan.page.bytes);
    if (storage::page_is_verified(scan.page.bytes, block)) return;
    ereport(zero_damaged_pages ? WARNING : ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED), errmsg("invalid page in block %u of relation %s%s", block,
                                                     storage::path_of(file, pg::kNoBackend, MAIN_FORKNUM),
                                                     zero_damaged_pages ? "; passing over it" : "")));
    std::memset(scan.page.bytes, 0, page::kPageSize);
}

}  // namespace

TableScanDesc begin_analyze_of_file(Relation rel, uint32 flags) {
    ::RelationIncrementReferenceCount(rel);
    auto *scan = pg::make_zeroed<FileScan>();
    scan->base.rs_rd = rel;
    scan->base.rs_flags = flags;
    scan->page.bytes = static_cast<char *>(::palloc(page::kPageSize));
    scan->page.table = RelationGetRelid(rel);
    return &scan->base;
}

void end_analyze_of_file(TableScanDesc sscan) {
    FileScan &scan = file_scan(sscan);
    ::RelationDecrementReferenceCount(scan.base.rs_rd);
    ::pfree(scan.page.bytes);
    ::pfree(&scan);
}

void analyze_file_next_block(TableScanDesc sscan, BlockNo block) {
    FileScan &scan = file_scan(sscan);
    read_page_of_file(scan, block);
    scan.page.block = block;
    scan.row = kInvalidSlot;
}

bool analyze_file_next_tuple(TableScanDesc sscan, Xid oldest_xmin, double *live, double *dead,
                             TupleTableSlot *slot) {
    FileScan &scan = file_scan(sscan);
    HeapTupleData tuple;
    if (next_live_row(&scan.page, &scan.row, oldest_xmin, live, dead, &tuple)) {
        store_in_place(slot, tuple);
        return true;
    }
    ::ExecClearTuple(slot);
    return false;
}

}  // namespace glassheap::scan
