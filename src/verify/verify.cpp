// verify/verify.cpp — glassheap_verify: a table checked page by page.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/page_facts.hpp"
#include "verify/verify.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::verify {

namespace {

enum class Skip : std::uint8_t { none, all_visible, all_frozen };

struct VerifyRequest {
    Oid relid;
    bool stop_on_error;
    bool check_toast;
    Skip skip;
    bool has_start;
    bool has_end;
    int64 start;
    int64 end;
};

[[noreturn]] void refuse_null(const char *what) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s cannot be null", what)));
}

Skip skip_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(3)) refuse_null("skip");
    const char *given = ::text_to_cstring(PG_GETARG_TEXT_PP(3));
    if (::pg_strcasecmp(given, "none") == 0) return Skip::none;
    if (::pg_strcasecmp(given, "all-visible") == 0) return Skip::all_visible;
    if (::pg_strcasecmp(given, "all-frozen") == 0) return Skip::all_frozen;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid skip option"),
                    errhint("Valid skip options are \"all-visible\", \"all-frozen\", and \"none\".")));
}

VerifyRequest read_arguments(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0)) refuse_null("relation");
    if (PG_ARGISNULL(1)) refuse_null("on_error_stop");
    if (PG_ARGISNULL(2)) refuse_null("check_toast");
    return {.relid = PG_GETARG_OID(0),
            .stop_on_error = PG_GETARG_BOOL(1),
            .check_toast = PG_GETARG_BOOL(2),
            .skip = skip_argument(fcinfo),
            .has_start = !PG_ARGISNULL(4),
            .has_end = !PG_ARGISNULL(5),
            .start = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4),
            .end = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT64(5)};
}

BlockNo bound(int64 given, BlockNo blocks, const char *which) {
    if (given < 0 || given >= static_cast<int64>(blocks))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s block number must be between 0 and %u", which, blocks - 1)));
    return static_cast<BlockNo>(given);
}

// ---- one page

void report_unverified(Verifier *v) {
    auto *header = reinterpret_cast<PageHeaderData *>(const_cast<char *>(v->page));
    if (::DataChecksumsEnabled() && !v->view().is_new()) {
        const unsigned wanted = ::pg_checksum_page(const_cast<char *>(v->page), v->block);
        if (wanted != header->pd_checksum) {
            report_damage(v, "page on disk has checksum 0x%04X, but its bytes give 0x%04X",
                          unsigned{header->pd_checksum}, wanted);
            return;
        }
    }
    if (v->view().is_new()) {
        report_damage(v, "page on disk is marked new, but is not all zeroes");
        return;
    }
    if (verify_header(v)) report_damage(v, "page on disk is not valid");
}

// Bits that did not change while the page was copied belong to the copy.
std::uint8_t load_page_and_bits(Verifier *v, char *copy, Buffer *vmbuf, bool *readable) {
    std::uint8_t before = vm::status(v->rel, v->block, vmbuf);
    for (;;) {
        *readable = look_at_page(v->rel, v->block, copy).readable;
        const std::uint8_t after = vm::status(v->rel, v->block, vmbuf);
        if (before == after) return after;
        before = after;
        CHECK_FOR_INTERRUPTS();
    }
}

void verify_bits(Verifier *v, std::uint8_t bits) {
    const bool visible = (bits & vm::kAllVisibleBit) != 0;
    const bool frozen = (bits & vm::kAllFrozenBit) != 0;
    if (frozen && !visible) report_damage(v, "visibility map says all-frozen, but not all-visible");
    if ((visible || frozen) && !v->view().all_visible())
        report_damage(v, "visibility map says %s, but the page is not marked all-visible",
                      frozen ? "all-frozen" : "all-visible");
    if (v->view().all_visible() || visible || frozen) verify_all_visible(v, frozen);
}

void verify_block(Verifier *v, char *copy, Buffer *vmbuf, Skip skip) {
    bool readable;
    const std::uint8_t bits = load_page_and_bits(v, copy, vmbuf, &readable);
    if (skip == Skip::all_visible && (bits & vm::kAllVisibleBit) != 0) return;
    if (skip == Skip::all_frozen && (bits & vm::kAllFrozenBit) != 0) return;
    v->slot = kInvalidSlot;
    v->attribute = -1;
    if (!readable) {
        report_unverified(v);
        return;
    }
    if (v->view().is_new()) {
        if (bits != 0) report_damage(v, "visibility map has bits set for a page that was never used");
        return;
    }
    if (!verify_header(v)) return;
    verify_line_pointers(v);
    verify_tuples(v);
    verify_chains(v);
    verify_bits(v, bits);
    verify_pending_toast(v);
}

// ---- the table

void open_toast(Verifier *v) {
    const Oid toast = v->rel->rd_rel->reltoastrelid;
    if (!OidIsValid(toast)) return;
    v->toast = ::table_open(toast, AccessShareLock);
    const int valid =
        ::toast_open_indexes(v->toast, AccessShareLock, &v->toast_indexes, &v->toast_index_count);
    v->toast_index = v->toast_indexes[valid];
}

void close_toast(Verifier *v) {
    if (v->toast == nullptr) return;
    ::toast_close_indexes(v->toast_indexes, v->toast_index_count, AccessShareLock);
    ::table_close(v->toast, AccessShareLock);
}

// Visibility bits for pages that do not exist.
void verify_bits_beyond_end(Verifier *v, BlockNo blocks, Buffer *vmbuf) {
    if (!::smgrexists(::RelationGetSmgr(v->rel), VISIBILITYMAP_FORKNUM)) return;
    constexpr std::uint64_t kPagesPerMapPage = (BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * 4;
    const BlockNo map_blocks = ::RelationGetNumberOfBlocksInFork(v->rel, VISIBILITYMAP_FORKNUM);
    const std::uint64_t end = std::min<std::uint64_t>(map_blocks * kPagesPerMapPage, MaxBlockNumber);
    for (std::uint64_t block = blocks; block < end; ++block) {
        CHECK_FOR_INTERRUPTS();
        if (vm::status(v->rel, static_cast<BlockNo>(block), vmbuf) == 0) continue;
        if (block < ::RelationGetNumberOfBlocks(v->rel)) continue;  // it has grown meanwhile
        v->block = static_cast<BlockNo>(block);
        v->slot = kInvalidSlot;
        report_damage(v, "visibility map has bits set beyond the table's last block %lld",
                      static_cast<long long>(blocks) - 1);
        return;
    }
}

void verify_range(Verifier *v, const VerifyRequest &request, BlockNo blocks) {
    const BlockNo first = request.has_start ? bound(request.start, blocks, "starting") : 0;
    const BlockNo last = request.has_end ? bound(request.end, blocks, "ending") : blocks - 1;
    auto *copy = static_cast<char *>(::palloc(BLCKSZ));
    v->page = copy;
    Buffer vmbuf = InvalidBuffer;
    for (std::uint64_t block = first; block <= last; ++block) {
        CHECK_FOR_INTERRUPTS();
        v->block = static_cast<BlockNo>(block);
        verify_block(v, copy, &vmbuf, request.skip);
        if (v->corrupt && request.stop_on_error) break;
    }
    const bool whole = !request.has_start && !request.has_end;
    if (whole && !(v->corrupt && request.stop_on_error)) {
        verify_bits_beyond_end(v, blocks, &vmbuf);
        verify_free_space(v);
    }
    if (BufferIsValid(vmbuf)) ::ReleaseBuffer(vmbuf);
}

bool unreadable_now(Relation rel) {
    if (rel->rd_rel->relpersistence != RELPERSISTENCE_UNLOGGED || !::RecoveryInProgress()) return false;
    ereport(DEBUG1, (errmsg("cannot verify unlogged relation \"%s\" during recovery, skipping",
                            RelationGetRelationName(rel))));
    return true;
}

}  // namespace

void report_damage(Verifier *v, const char *format, ...) {
    v->corrupt = true;
    v->rows->begin_row();
    StringInfoData message;
    ::initStringInfo(&message);
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        const int needed = ::appendStringInfoVA(&message, format, arguments);
        va_end(arguments);
        if (needed == 0) break;
        ::enlargeStringInfo(&message, needed);
    }
    v->rows->add({int8(v->block), v->slot == kInvalidSlot ? null_cell() : int4(v->slot),
                  v->attribute < 0 ? null_cell() : int4(v->attribute), text_cell(message.data)});
}

extern "C" {

// glassheap_verify(relation, on_error_stop, check_toast, skip, startblock, endblock): not STRICT.
PG_FUNCTION_INFO_V1(glassheap_verify);
PGDLLEXPORT Datum glassheap_verify(PG_FUNCTION_ARGS) {
    const VerifyRequest request = read_arguments(fcinfo);
    Relation rel = open_for_verification(request.relid, AccessShareLock);
    Rows rows(fcinfo);
    const BlockNo blocks = unreadable_now(rel) ? 0 : ::RelationGetNumberOfBlocks(rel);
    if (blocks > 0) {
        auto *v = new (::palloc(sizeof(Verifier))) Verifier{};
        v->rel = rel;
        v->rows = &rows;
        v->safe_xmin = ::GetTransactionSnapshot()->xmin;
        v->limits.read(rel);
        if (request.check_toast) open_toast(v);
        verify_range(v, request, blocks);
        close_toast(v);
    }
    close_table(rel);
    return 0;
}

}  // extern "C"

}  // namespace glassheap::verify
