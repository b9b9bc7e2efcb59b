// introspect/target.cpp — which relation an SQL function was given, and whether it is one of ours.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/setup.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"

extern "C" Datum glassheap_tableam_handler(PG_FUNCTION_ARGS);

namespace glassheap::introspect {

namespace {

const void *our_routine() {
    return DatumGetPointer(::DirectFunctionCall1(glassheap_tableam_handler, PointerGetDatum(nullptr)));
}

[[noreturn]] void refuse_kind(Relation rel) {
    const char kind = rel->rd_rel->relkind;
    if (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW || kind == RELKIND_TOASTVALUE) {
        const char *am = ::get_am_name(rel->rd_rel->relam);
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("relation \"%s\" is not a glassheap table", RelationGetRelationName(rel)),
                        errdetail("Its access method is \"%s\".", am != nullptr ? am : "(none)"),
                        kind == RELKIND_TOASTVALUE
                            ? errhint("TOAST tables are always heap; use the contrib function for heap.")
                            : errhint("Use the contrib function for heap, or ALTER TABLE ... SET ACCESS "
                                      "METHOD glassheap.")));
    }
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("relation \"%s\" is not a glassheap table", RelationGetRelationName(rel)),
                    ::errdetail_relkind_not_supported(kind),
                    kind == RELKIND_PARTITIONED_TABLE ? errhint("Name one of its partitions.") : 0));
}

}  // namespace

bool is_glassheap(Relation rel) {
    return rel->rd_tableam != nullptr && rel->rd_tableam == our_routine();
}

Relation open_for_verification(Oid relid, LOCKMODE lock) {
    buffer::require_ready();
    Relation rel = ::try_relation_open(relid, lock);
    if (rel == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relid),
                 errdetail("It may have been dropped meanwhile.")));
    if (!is_glassheap(rel)) refuse_kind(rel);
    if (RELATION_IS_OTHER_TEMP(rel))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot access temporary tables of other sessions"),
                        errdetail("The pages of \"%s\" are in the memory of the session that made it.",
                                  RelationGetRelationName(rel))));
    return rel;
}

// On a standby the files of an unlogged table are not there; verification treats it as empty, nothing else
// does.
Relation open_table(Oid relid, LOCKMODE lock) {
    Relation rel = open_for_verification(relid, lock);
    if (rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && ::RecoveryInProgress())
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("cannot access unlogged table \"%s\" during recovery", RelationGetRelationName(rel)),
                 errdetail("Unlogged tables exist on the primary only.")));
    return rel;
}

BlockNo to_block(int64 given) {
    if (given < 0 || given > static_cast<int64>(MaxBlockNumber))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid block number"),
                        errdetail("Block numbers go from 0 to %u.", MaxBlockNumber)));
    return static_cast<BlockNo>(given);
}

BlockNo existing_block(Relation rel, ForkNumber fork, int64 given) {
    const BlockNo block = to_block(given);
    const bool has_fork = fork == MAIN_FORKNUM || ::smgrexists(::RelationGetSmgr(rel), fork);
    if (!has_fork)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("relation \"%s\" has no fork \"%s\"", RelationGetRelationName(rel),
                               ::forkNames[fork])));
    const BlockNo blocks = ::RelationGetNumberOfBlocksInFork(rel, fork);
    if (block >= blocks)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("block number %u is out of range for relation \"%s\"", block,
                               RelationGetRelationName(rel)),
                        errdetail("Fork \"%s\" has %u blocks.", ::forkNames[fork], blocks)));
    return block;
}

void require_superuser() {
    if (!::superuser())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be superuser to use raw page functions")));
}

char *page_from_bytea(const bytea *raw) {
    const auto size = static_cast<int>(VARSIZE_ANY_EXHDR(raw));
    if (size != BLCKSZ)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid page size"),
                        errdetail("Expected %d bytes, got %d.", BLCKSZ, size)));
    auto *page = static_cast<char *>(::palloc(BLCKSZ));
    std::memcpy(page, VARDATA_ANY(raw), BLCKSZ);
    return page;
}

char *copy_page(Relation rel, ForkNumber fork, int64 given) {
    const BlockNo block = existing_block(rel, fork, given);
    auto *copy = static_cast<char *>(::palloc(BLCKSZ));
    if (fork == MAIN_FORKNUM || fork == FSM_FORKNUM) {
        const buffer::PinnedPage page = buffer::read_page(rel, fork, block);
        const buffer::ShareLatch latch(page);
        std::memcpy(copy, page.data(), BLCKSZ);
        return copy;
    }
    const Buffer stock = ::ReadBufferExtended(rel, fork, block, RBM_NORMAL, nullptr);
    ::LockBuffer(stock, BUFFER_LOCK_SHARE);
    std::memcpy(copy, BufferGetPage(stock), BLCKSZ);
    ::UnlockReleaseBuffer(stock);
    return copy;
}

char *copy_page_of(Oid table, ForkNumber fork, int64 given) {
    Relation rel = open_table(table);
    char *copy = copy_page(rel, fork, given);
    close_table(rel);
    return copy;
}

namespace {

// InitMaterializedSRF wants a row type; SETOF text is one column without a name.
void start_scalar_set(FunctionCallInfo fcinfo, Oid type) {
    auto *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (info == nullptr || !IsA(info, ReturnSetInfo) || (info->allowedModes & SFRM_Materialize) == 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("set-valued function called in context that cannot accept a set")));
    MemoryContext outer = ::MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    TupleDesc desc = CreateTemplateTupleDesc(1);
    ::TupleDescInitEntry(desc, 1, "value", type, -1, 0);
    const bool random_access = (info->allowedModes & SFRM_Materialize_Random) != 0;
    info->setResult = ::tuplestore_begin_heap(random_access, false, work_mem);
    info->setDesc = desc;
    info->returnMode = SFRM_Materialize;
    ::MemoryContextSwitchTo(outer);
}

}  // namespace

Rows::Rows(FunctionCallInfo fcinfo) {
    Oid type;
    TupleDesc desc;
    if (::get_call_result_type(fcinfo, &type, &desc) == TYPEFUNC_SCALAR)
        start_scalar_set(fcinfo, type);
    else
        ::InitMaterializedSRF(fcinfo, 0);
    auto *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    store_ = info->setResult;
    desc_ = info->setDesc;
    row_memory_ =
        ::AllocSetContextCreateInternal(CurrentMemoryContext, "glassheap row", ALLOCSET_DEFAULT_SIZES);
}

Datum make_record(FunctionCallInfo fcinfo, std::initializer_list<Cell> cells) {
    TupleDesc desc;
    if (::get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("function returning record called in context that cannot accept type record")));
    Columns columns(cells);
    if (columns.count != desc->natts)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("wrong number of output arguments"),
                 errdetail("The function has %d, its SQL declaration %d.", columns.count, desc->natts)));
    HeapTuple tuple = ::heap_form_tuple(::BlessTupleDesc(desc), columns.values, columns.nulls);
    return HeapTupleGetDatum(tuple);
}

}  // namespace glassheap::introspect
