// prewarm/prewarm.cpp — loading a table into the pool before it is needed.
// Errors: may longjmp; INSUFFICIENT_PRIVILEGE without SELECT on the table.
// See:    prewarm/autoprewarm.cpp; PG: contrib/pg_prewarm.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/rows.hpp"
#include "introspect/target.hpp"

namespace glassheap::prewarm {

using namespace introspect;  // what all rooms of SQL functions share

namespace {

enum class WarmMode : std::uint8_t { prefetch, read, buffer };

[[noreturn]] void refuse_null(const char *what) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s cannot be null", what)));
}

WarmMode mode_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1)) refuse_null("prewarm type");
    const char *given = ::text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (std::strcmp(given, "prefetch") == 0) return WarmMode::prefetch;
    if (std::strcmp(given, "read") == 0) return WarmMode::read;
    if (std::strcmp(given, "buffer") == 0) return WarmMode::buffer;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid prewarm type"),
                    errhint("Valid prewarm types are \"prefetch\", \"read\", and \"buffer\".")));
}

BlockNo bound_argument(FunctionCallInfo fcinfo, int argument, BlockNo blocks, const char *which) {
    const int64 given = PG_GETARG_INT64(argument);
    if (given < 0 || given >= static_cast<int64>(blocks))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s block number must be between 0 and %lld", which,
                               static_cast<long long>(blocks) - 1)));
    return static_cast<BlockNo>(given);
}

void warm_block(Relation rel, ForkNumber fork, BlockNo block, WarmMode mode, char *scratch) {
    const bool in_our_pool = fork == MAIN_FORKNUM || fork == FSM_FORKNUM;
    switch (mode) {
        case WarmMode::prefetch:
            if (in_our_pool)
                buffer::prefetch(rel, fork, block, 1);
            else
                ::PrefetchBuffer(rel, fork, block);
            break;
        case WarmMode::read:
            ::smgrread(::RelationGetSmgr(rel), fork, block, scratch);
            break;
        case WarmMode::buffer:
            if (in_our_pool)
                buffer::read_page(rel, fork, block).release();
            else
                ::ReleaseBuffer(::ReadBufferExtended(rel, fork, block, RBM_NORMAL, nullptr));
            break;
    }
}

}  // namespace

extern "C" {

// glassheap_prewarm(regclass, mode text, fork text, first_block int8, last_block int8): not STRICT.
PG_FUNCTION_INFO_V1(glassheap_prewarm);
PGDLLEXPORT Datum glassheap_prewarm(PG_FUNCTION_ARGS) {
    if (PG_ARGISNULL(0)) refuse_null("relation");
    const WarmMode mode = mode_argument(fcinfo);
    if (PG_ARGISNULL(2)) refuse_null("relation fork");
    const ForkNumber fork = ::forkname_to_number(::text_to_cstring(PG_GETARG_TEXT_PP(2)));
    Relation rel = open_table(PG_GETARG_OID(0));
    const AclResult allowed = ::pg_class_aclcheck(RelationGetRelid(rel), ::GetUserId(), ACL_SELECT);
    if (allowed != ACLCHECK_OK)
        ::aclcheck_error(allowed, ::get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
    if (!::smgrexists(::RelationGetSmgr(rel), fork))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("fork \"%s\" does not exist for this relation", ::forkNames[fork])));
    const BlockNo blocks = ::RelationGetNumberOfBlocksInFork(rel, fork);
    const std::int64_t first = PG_ARGISNULL(3) ? 0 : bound_argument(fcinfo, 3, blocks, "starting");
    const std::int64_t last =
        PG_ARGISNULL(4) ? static_cast<std::int64_t>(blocks) - 1 : bound_argument(fcinfo, 4, blocks, "ending");
    auto *scratch = static_cast<char *>(::palloc(BLCKSZ));
    int64 done = 0;
    for (std::int64_t block = first; block <= last; ++block) {
        CHECK_FOR_INTERRUPTS();
        warm_block(rel, fork, static_cast<BlockNo>(block), mode, scratch);
        ++done;
    }
    close_table(rel);
    PG_RETURN_INT64(done);
}

}  // extern "C"

}  // namespace glassheap::prewarm
