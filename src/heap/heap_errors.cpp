// heap/heap_errors.cpp — the reports of row operations.
//
// Errors: longjmps by purpose.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/heap_errors.hpp"

namespace glassheap::heap {

void report_invisible(const char *verb) {
    // Whole sentences, so that PostgreSQL's translations are found.
    if (std::strcmp(verb, "delete") == 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("attempted to delete invisible tuple")));
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("attempted to update invisible tuple")));
    pg_unreachable();
}

void report_lock_not_available(Relation rel) {
    ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                    errmsg("could not obtain lock on row in relation \"%s\"", RelationGetRelationName(rel))));
    pg_unreachable();
}

void report_row_too_big(Size length) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("row is too big: size %zu, maximum size %zu", length, MaxHeapTupleSize)));
    pg_unreachable();
}

void report_page_not_empty(Relation rel, BlockNo block) {
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED), errmsg("page %u of relation \"%s\" should be empty but is not",
                                                     block, RelationGetRelationName(rel))));
    pg_unreachable();
}

void report_row_outside_page(Relation rel, const ItemPointerData &tid, Size offset, Size length) {
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("row %u in block %u of relation \"%s\" cannot be %zu bytes from offset %zu",
                    ItemPointerGetOffsetNumberNoCheck(&tid), ItemPointerGetBlockNumberNoCheck(&tid),
                    RelationGetRelationName(rel), length, offset),
             errdetail("A row lies within its page, behind the page's header, and has a header of its own."),
             errhint("The page is damaged.  See glassheap_verify()."), errtable(rel)));
    pg_unreachable();
}

void report_circle(Relation rel, const ItemPointerData &tid) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("row versions in block %u of relation \"%s\" follow each other in a circle",
                           ItemPointerGetBlockNumberNoCheck(&tid), RelationGetRelationName(rel)),
                    errdetail("The walk came to row %u for the second time.",
                              ItemPointerGetOffsetNumberNoCheck(&tid)),
                    errhint("The page is damaged.  See glassheap_verify()."), errtable(rel)));
    pg_unreachable();
}

void report_run_overwritten(Relation rel, BlockNo block) {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("block %u of relation \"%s\" was changed while this statement gathered rows for it",
                    block, RelationGetRelationName(rel)),
             errdetail("Only code that bypasses the table access method can do that."),
             errhint("Try again, and see glassheap_foreign_writers().")));
    pg_unreachable();
}

void report_no_such_row(Relation rel, const ItemPointerData &tid) {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("row version (%u,%u) of relation \"%s\" does not exist",
                           ItemPointerGetBlockNumberNoCheck(&tid), ItemPointerGetOffsetNumberNoCheck(&tid),
                           RelationGetRelationName(rel)),
                    errdetail("The line pointer is not in use.")));
    pg_unreachable();
}

void forbid_in_parallel_mode(const char *verb) {
    if (!::IsInParallelMode()) [[likely]]
        return;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
             std::strcmp(verb, "delete") == 0 ? errmsg("cannot delete tuples during a parallel operation")
                                              : errmsg("cannot update tuples during a parallel operation")));
}

}  // namespace glassheap::heap
