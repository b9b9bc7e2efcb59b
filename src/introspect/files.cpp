// introspect/files.cpp — which files on disk a table consists of.
// Errors: may longjmp.
// See:    PG: storage/smgr/md.c (segments of 1 GB), common/relpath.c.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include <sys/stat.h>

#include "introspect/rows.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

namespace {

Oid tablespace_of(Relation rel) {
    return pg::tablespace_of(pg::file_of(rel));
}

// Adds one row per segment file; false when there is no such segment.
bool add_segment(Relation rel, ForkNumber fork, const char *base, int segment, Rows *rows) {
    const char *path = segment == 0 ? base : ::psprintf("%s.%d", base, segment);
    struct stat info;
    if (::stat(path, &info) != 0) {
        if (errno == ENOENT) return false;
        ereport(ERROR, (::errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", path)));
    }
    rows->add({text_cell(::forkNames[fork]), int4(segment), text_cell(path),
               int8(static_cast<std::uint64_t>(info.st_size)),
               int8(static_cast<std::uint64_t>(info.st_size) / BLCKSZ), oid(pg::number_of(pg::file_of(rel))),
               text_cell(::get_tablespace_name(tablespace_of(rel))),
               timestamp(::time_t_to_timestamptz(info.st_mtime))});
    return true;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_files);
PGDLLEXPORT Datum glassheap_files(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    for (int fork = 0; fork <= MAX_FORKNUM; ++fork) {
        char *base = pg::path_of(pg::file_of(rel), rel->rd_backend, static_cast<ForkNumber>(fork));
        for (int segment = 0; add_segment(rel, static_cast<ForkNumber>(fork), base, segment, &rows);
             ++segment)
            CHECK_FOR_INTERRUPTS();
    }
    close_table(rel);
    return 0;
}

}  // extern "C"

}  // namespace glassheap::introspect
