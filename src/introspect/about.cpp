// introspect/about.cpp — which glassheap this is, how it was built, and the state of the engine in one row.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/setup.hpp"
#include "buffer/stats.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "wal/records.hpp"

namespace glassheap::introspect {

namespace {

constexpr const char *kVersion = "1.0";
constexpr int kFormatVersion = 4;  // of pages on disk: heap's layout version

#if defined(__clang__)
constexpr const char *kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char *kCompiler = "g++ " __VERSION__;
#else
constexpr const char *kCompiler = "unknown";
#endif

Cell text_array(std::initializer_list<const char *> words) {
    ArrayBuildState *array = ::initArrayResult(TEXTOID, CurrentMemoryContext, false);
    for (const char *word : words)
        if (word != nullptr)
            array =
                ::accumArrayResult(array, CStringGetTextDatum(word), false, TEXTOID, CurrentMemoryContext);
    return datum_cell(::makeArrayResult(array, CurrentMemoryContext));
}

// On a standby there is no mode to be in: null.
Cell write_back_cell(buffer::PoolMode mode) {
    if (mode == buffer::PoolMode::replay) return null_cell();
    return boolean(mode != buffer::PoolMode::write_through);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_version);
PGDLLEXPORT Datum glassheap_version(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    if (!buffer::is_ready())
        ereport(WARNING, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                          errmsg("glassheap is not loaded via shared_preload_libraries"),
                          errdetail("Its tables cannot be read or changed on this server."),
                          errhint("Add this line to postgresql.conf and restart the server: "
                                  "shared_preload_libraries = 'glassheap'")));
    PG_RETURN_TEXT_P(::cstring_to_text(kVersion));
}

PG_FUNCTION_INFO_V1(glassheap_build_info);
PGDLLEXPORT Datum glassheap_build_info(PG_FUNCTION_ARGS) {
    return make_record(fcinfo, {text_cell(kVersion), text_cell(PG_VERSION), int4(pg::kServerMajor),
                                text_cell(kCompiler), int4(kChecks), int4(BLCKSZ)});
}

PG_FUNCTION_INFO_V1(glassheap_control);
PGDLLEXPORT Datum glassheap_control(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    buffer::GuardianInfo guardian;
    buffer::read_guardian(&guardian);
    const std::uint64_t pool = static_cast<std::uint64_t>(buffer::frame_count()) * BLCKSZ;
    return make_record(
        fcinfo,
        {int4(kFormatVersion), int8(pool), int8(buffer::overhead_bytes()), int4(wal::kRmgrId),
         lsn(::GetRedoRecPtr()), guardian.flushed_redo == 0 ? null_cell() : lsn(guardian.flushed_redo),
         write_back_cell(guardian.mode), boolean(::RecoveryInProgress()), boolean(::DataChecksumsEnabled()),
         text_array({"heap page format", "own buffer pool", "visibility map in shared_buffers",
                     "checkpoint guardians", "custom resource manager"})});
}

// The one server process that pg_stat_activity does not show.
PG_FUNCTION_INFO_V1(glassheap_postmaster_pid);
PGDLLEXPORT Datum glassheap_postmaster_pid(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_INT32(::PostmasterPid);
}

}  // extern "C"

}  // namespace glassheap::introspect
