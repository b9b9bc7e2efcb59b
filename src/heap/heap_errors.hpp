// heap/heap_errors.hpp — what row operations report to the user, worded and coded as heap's
//         (doc/design/rooms.md#pg-what-an-error-may-abandon).
//
// Why:    SQLSTATE and text are behaviour: tests and applications look at them.
// Errors: every function here longjmps when it reports.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

[[noreturn]] void report_invisible(const char *verb);  // "attempted to <verb> invisible tuple"
[[noreturn]] void report_lock_not_available(Relation rel);
[[noreturn]] void report_row_too_big(Size length);
[[noreturn]] void report_page_not_empty(Relation rel, BlockNo block);
// Somebody wrote to a page that a run of inserts had for itself.
[[noreturn]] void report_run_overwritten(Relation rel, BlockNo block);
[[noreturn]] void report_no_such_row(Relation rel, const ItemPointerData &tid);
// The versions of a row at `tid` follow each other in a circle.
[[noreturn]] void report_circle(Relation rel, const ItemPointerData &tid);
[[noreturn]] void report_row_outside_page(Relation rel, const ItemPointerData &tid, Size offset, Size length);
// A combo cid made now could not be told to the other workers.
void forbid_in_parallel_mode(const char *verb);  // "cannot <verb> tuples during a parallel operation"

}  // namespace glassheap::heap
