// am/extension_calls.cpp — see am/extension_calls.hpp.
//
// Why:    PostgreSQL's function call hooks tell when a function begins and ends.  Only volatile functions can
//         create tables, so that those of PostGIS and its like, called millions of times, are left alone; and
//         language handlers, which take arguments of type internal, run what users wrote.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/extension_calls.hpp"
#include "pg/pg_ddl.hpp"

namespace glassheap::am {

namespace {

needs_fmgr_hook_type next_needs_fmgr = nullptr;
fmgr_hook_type next_fmgr = nullptr;
const bool *matters = nullptr;
int calls_running = 0;

// What is known of a function; forgotten (stale) when pg_proc changes, or an extension's members
// (am/new_tables); the answer itself is kept for a call that is under way.
struct Function {
    Oid oid;  // the key
    bool may_create_tables;
    bool stale;
};
HTAB *functions = nullptr;

void forget_functions(Datum, int, uint32) {
    HASH_SEQ_STATUS all;
    ::hash_seq_init(&all, functions);
    while (auto *function = static_cast<Function *>(::hash_seq_search(&all))) function->stale = true;
}

void make_table() {
    HASHCTL shape{};
    shape.keysize = sizeof(Oid);
    shape.entrysize = sizeof(Function);
    functions = ::hash_create("glassheap functions of extensions", 64, &shape, HASH_ELEM | HASH_BLOBS);
    ::CacheRegisterSyscacheCallback(PROCOID, forget_functions, Datum{0});
}

bool takes_internal(const FormData_pg_proc *proc) noexcept {
    for (int i = 0; i < proc->proargtypes.dim1; ++i)
        if (proc->proargtypes.values[i] == INTERNALOID) return true;
    return false;
}

bool look_up(Oid oid) {
    HeapTuple tuple = ::SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    const bool candidate = proc->provolatile == PROVOLATILE_VOLATILE && !takes_internal(proc);
    ::ReleaseSysCache(tuple);
    return candidate && OidIsValid(::getExtensionOfObject(ProcedureRelationId, oid));
}

bool may_create_tables(Oid oid) {
    if (oid < FirstNormalObjectId) return false;  // initdb's own; procedural languages' handlers
    if (functions == nullptr) make_table();
    auto *function = static_cast<Function *>(::hash_search(functions, &oid, HASH_FIND, nullptr));
    if (function != nullptr && !function->stale) return function->may_create_tables;
    const bool answer = look_up(oid);  // may longjmp: nothing is entered before
    function = static_cast<Function *>(::hash_search(functions, &oid, HASH_ENTER, nullptr));
    function->may_create_tables = answer;
    function->stale = false;
    return answer;
}

// At the end of a call, when the catalog may be out of reach: the answer given at its start.
bool was_counted(Oid oid) noexcept {
    if (functions == nullptr) return false;
    const auto *function = static_cast<Function *>(::hash_search(functions, &oid, HASH_FIND, nullptr));
    return function != nullptr && function->may_create_tables;
}

extern "C" bool gh_needs_extension_call(Oid function) {
    return (next_needs_fmgr != nullptr && next_needs_fmgr(function)) ||
           (*matters && may_create_tables(function));
}

extern "C" void gh_extension_call(FmgrHookEventType event, FmgrInfo *flinfo, Datum *arg) {
    if (next_fmgr != nullptr) next_fmgr(event, flinfo, arg);
    if (event == FHET_START) {
        if (may_create_tables(flinfo->fn_oid)) ++calls_running;
    } else if (calls_running > 0 && was_counted(flinfo->fn_oid)) {
        --calls_running;
    }
}

}  // namespace

bool in_extension_call() noexcept {
    return calls_running > 0;
}

void install_extension_call_hooks(const bool *wanted) {
    matters = wanted;
    next_needs_fmgr = needs_fmgr_hook;
    needs_fmgr_hook = gh_needs_extension_call;
    next_fmgr = fmgr_hook;
    fmgr_hook = gh_extension_call;
}

}  // namespace glassheap::am
