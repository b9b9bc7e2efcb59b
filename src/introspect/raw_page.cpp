// introspect/raw_page.cpp — the bytes of a page, in memory and on disk, and what its header says.
//
// Why:    the pool's image is the truth, the disk's is what a crash would start from; side by side they show
//         what write-back is.
// Locking: a share latch while copying; the disk image is read without one.
// Errors: may longjmp.  Superuser only: raw bytes hold anybody's data.
// See:    PG: contrib/pageinspect.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "pg/pg_smgr.hpp"

namespace glassheap::introspect {

namespace {

ForkNumber fork_argument(FunctionCallInfo fcinfo, int argument) {
    return ::forkname_to_number(::text_to_cstring(PG_GETARG_TEXT_PP(argument)));
}

bytea *as_bytea(const char *page) {
    auto *raw = static_cast<bytea *>(::palloc(BLCKSZ + VARHDRSZ));
    SET_VARSIZE(raw, BLCKSZ + VARHDRSZ);
    std::memcpy(VARDATA(raw), page, BLCKSZ);
    return raw;
}

bytea *pool_image(Oid relid, ForkNumber fork, int64 given) {
    require_superuser();
    return as_bytea(copy_page_of(relid, fork, given));
}

// The disk may be written while we read: an image that does not verify is read again, a few times.
bytea *disk_image(Oid relid, ForkNumber fork, int64 given) {
    constexpr int kAttempts = 5;
    require_superuser();
    Relation rel = open_table(relid);
    const BlockNo block = existing_block(rel, fork, given);
    auto *page = static_cast<char *>(::palloc(BLCKSZ));
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        ::smgrread(::RelationGetSmgr(rel), fork, block, page);
        if (pg::is_page_verified(page, block, pg::PageReport::nothing)) break;
        ::pg_usleep(1000);
        CHECK_FOR_INTERRUPTS();
    }
    close_table(rel);
    return as_bytea(page);
}

Datum header_record(FunctionCallInfo fcinfo, const char *page) {
    const auto *header = reinterpret_cast<const PageHeaderData *>(page);
    return make_record(fcinfo, {lsn(page::PageView(page).lsn()), int2(header->pd_checksum),
                                int2(header->pd_flags), int4(header->pd_lower), int4(header->pd_upper),
                                int4(header->pd_special), int4(PageGetPageSize(page)),
                                int2(PageGetPageLayoutVersion(page)), xid(header->pd_prune_xid)});
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_get_raw_page);
PGDLLEXPORT Datum glassheap_get_raw_page(PG_FUNCTION_ARGS) {
    PG_RETURN_BYTEA_P(pool_image(PG_GETARG_OID(0), MAIN_FORKNUM, PG_GETARG_INT64(1)));
}

PG_FUNCTION_INFO_V1(glassheap_get_raw_page_fork);
PGDLLEXPORT Datum glassheap_get_raw_page_fork(PG_FUNCTION_ARGS) {
    PG_RETURN_BYTEA_P(pool_image(PG_GETARG_OID(0), fork_argument(fcinfo, 1), PG_GETARG_INT64(2)));
}

PG_FUNCTION_INFO_V1(glassheap_get_disk_page);
PGDLLEXPORT Datum glassheap_get_disk_page(PG_FUNCTION_ARGS) {
    PG_RETURN_BYTEA_P(disk_image(PG_GETARG_OID(0), MAIN_FORKNUM, PG_GETARG_INT64(1)));
}

PG_FUNCTION_INFO_V1(glassheap_get_disk_page_fork);
PGDLLEXPORT Datum glassheap_get_disk_page_fork(PG_FUNCTION_ARGS) {
    PG_RETURN_BYTEA_P(disk_image(PG_GETARG_OID(0), fork_argument(fcinfo, 1), PG_GETARG_INT64(2)));
}

PG_FUNCTION_INFO_V1(glassheap_page_header);
PGDLLEXPORT Datum glassheap_page_header(PG_FUNCTION_ARGS) {
    require_superuser();
    return header_record(fcinfo, page_from_bytea(PG_GETARG_BYTEA_PP(0)));
}

PG_FUNCTION_INFO_V1(glassheap_page_header_of);
PGDLLEXPORT Datum glassheap_page_header_of(PG_FUNCTION_ARGS) {
    require_superuser();
    return header_record(fcinfo, copy_page_of(PG_GETARG_OID(0), MAIN_FORKNUM, PG_GETARG_INT64(1)));
}

PG_FUNCTION_INFO_V1(glassheap_page_checksum);
PGDLLEXPORT Datum glassheap_page_checksum(PG_FUNCTION_ARGS) {
    require_superuser();
    const BlockNo block = to_block(PG_GETARG_INT64(1));
    char *page = page_from_bytea(PG_GETARG_BYTEA_PP(0));
    if (page::PageView(page).is_new()) PG_RETURN_NULL();
    PG_RETURN_INT16(static_cast<int16>(::pg_checksum_page(page, block)));
}

}  // extern "C"

}  // namespace glassheap::introspect
