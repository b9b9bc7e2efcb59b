// heap/rewrite_mappings.hpp — where rows of a rewritten user catalog table went, for logical decoding.
//
// Why:    decoding looks up cmin and cmax by row address; after a rewrite the addresses of recent rows are
//         others.  Only tables with user_catalog_table = true, and only while logical slots exist.
// Errors: may longjmp (files).
// See:    PG: access/heap/rewriteheap.c (facts: names, format, order of file write and WAL)
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

class RewriteMappings {
public:
    void begin(Relation old_table, Relation new_table, MemoryContext context);
    // `version` (its t_self is the new address) stood at old_tid.
    void note(ItemPointerData old_tid, HeapTuple version);
    void finish();

private:
    struct File;
    void add(Xid xid, ItemPointerData old_tid, ItemPointerData new_tid);
    File *file_of(Xid xid);
    void write_out(File *file);
    void write_out_all();

    bool wanted_;
    Relation old_table_;
    Relation new_table_;
    MemoryContext context_;
    Xid horizon_;  // slots need nothing older
    Lsn begin_lsn_;
    HTAB *files_;  // by the xid whose rows are mapped
};

}  // namespace glassheap::heap
