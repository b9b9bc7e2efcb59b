// guard/unguarded.cpp — see unguarded.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/setting.hpp"
#include "guard/unguarded.hpp"
#include "pg/pg_guarded.hpp"

namespace glassheap::guard {

namespace {

// "heap_insert, heap_update and 3 more"
const char *names_of(const Unguarded &unguarded) {
    constexpr int kShown = 5;
    StringInfoData names;
    ::initStringInfo(&names);
    int count = 0;
    for (std::size_t i = 0; i < guarded_count; ++i) {
        if (!unguarded.functions[i]) continue;
        if (++count <= kShown)
            ::appendStringInfo(&names, "%s%s", count > 1 ? ", " : "", guarded_functions[i].name);
    }
    if (count > kShown) ::appendStringInfo(&names, " and %d more", count - kShown);
    return names.data;
}

// Before the settings are restored the worker has its own; a worker that is at work has its leader's.
bool in_starting_parallel_worker() {
    return InitializingParallelWorker;
}

bool restarted = false;

bool in_restarting_postmaster() {
    return restarted && !IsUnderPostmaster;
}

}  // namespace

const char *base_name(const char *path) {
    const char *slash = std::strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

bool refuses_unguarded() {
    return unguarded_mode == kRefuseUnguarded && !in_starting_parallel_worker() &&
           !in_restarting_postmaster();
}

void note_restart() {
    restarted = true;
}

void refuse_library(const char *file, const Unguarded &unguarded) {
    const char *library = base_name(unguarded.library);
    const char *why =
        unguarded.entries > 0
            ? "Its linkage table cannot be written, something else has changed it, or it is of another kind"
            : "It has copied pointers before glassheap could redirect its calls";
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         file != nullptr ? errmsg("library \"%s\" cannot be loaded beside glassheap", base_name(file))
                         : errmsg("library \"%s\" cannot be used beside glassheap", library),
         errdetail("glassheap cannot guard calls of heap's functions in \"%s\": %s.  %s.  With a glassheap "
                   "table they would destroy rows.",
                   library, names_of(unguarded), why),
         file != nullptr
             ? errhint("If \"%s\" never works on glassheap tables, a superuser can set "
                       "glassheap.unguarded_libraries = warn, and look at glassheap_foreign_writers().",
                       library)
             : errhint("Put glassheap first in shared_preload_libraries, or set "
                       "glassheap.unguarded_libraries = warn.")));
}

void warn_of_library(const Unguarded &unguarded) {
    if (in_starting_parallel_worker()) return;  // its leader has
    const char *library = base_name(unguarded.library);
    if (unguarded.entries > 0)
        ereport(WARNING,
                (errmsg("glassheap cannot guard %d call(s) of heap's functions in library \"%s\"",
                        unguarded.entries, library),
                 errdetail("Its linkage table cannot be written, or something else has changed it: %s.",
                           names_of(unguarded)),
                 errhint("Do not let this library work on glassheap tables: it would damage them.")));
    if (unguarded.copies > 0)
        ereport(WARNING,
                (errmsg("library \"%s\" keeps %d pointer(s) to heap's functions that glassheap cannot guard",
                        library, unguarded.copies),
                 errdetail("It has copied them before glassheap could redirect its calls: %s.",
                           names_of(unguarded)),
                 errhint("Do not let this library work on glassheap tables: it would damage them.")));
}

void refuse_or_warn_of_server(const char *reason) {
    if (unguarded_mode == kRefuseUnguarded)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("glassheap cannot guard libraries on this server"),
                 errdetail("%s  One that calls heap's functions with a glassheap table would destroy rows.",
                           reason),
                 errhint("If no library does so, set glassheap.unguarded_libraries = warn.")));
    ereport(WARNING, (errmsg("glassheap cannot guard libraries on this server"), errdetail("%s", reason),
                      errhint("Do not let a library that calls heap's functions work on glassheap tables: it "
                              "would damage them.")));
}

}  // namespace glassheap::guard
