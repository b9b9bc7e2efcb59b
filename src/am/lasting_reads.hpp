// am/lasting_reads.hpp — commands that read a table once and rely on what they saw for ever.
//
// Why:    an index is built, or a constraint is called fulfilled, from the pages in our pool.  Where code
//         that bypasses the table access method has changed one in shared_buffers, a query sees the old rows
//         until the pool writer notices; these would never be right again.  So what it changed is settled
//         first (buffer/core_copies).  Commands that rewrite a table: am/ddl_hooks.
// Invariants: am.L1 within such a command the first scan of a table of ours, of whatever kind, comes after
//         its pages were settled, and so does the first under a stronger lock than before (an event trigger
//         reads before the command has its own); an index build, each of its scans, before parallel workers
//         start.
// Limits: C code that checks a constraint itself, without the SQL command, reads what queries read; so does
//         C code that builds an index in parallel workers.
// Errors: may longjmp: what is in two pools is found (the read then fails), interrupts.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "am/utility_call.hpp"

namespace glassheap::am {

bool is_lasting_read(const Node *statement) noexcept;
void run_lasting_read(const UtilityCall &call, void (*run)(const UtilityCall &));

// Before a scan that is not parallel begins; nothing unless such a command runs.
void settle_before_scan(Relation rel);
// In the leader, before its workers start.  Each time: CREATE INDEX CONCURRENTLY reads twice.
void settle_before_parallel_scan(Relation rel);
// Before an index build reads `count` blocks from `first` on (kInvalidBlock: all of them).
void settle_before_build(Relation rel, BlockNo first, BlockNo count);

}  // namespace glassheap::am
