// am/stock_readers.cpp — see am/stock_readers.hpp.
//
// Why:    function call hooks tell exactly when one of these functions is running.
// Invariants: am.S1 only clean copies are thrown out of shared_buffers: a dirty one is somebody's change
//            (buffer/core_copies.hpp).
// Locking: none of ours is held.  What is changed between the writing and the reading is not shown, and a
//         page read while it is being written may look torn to the tool: these are diagnostics.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/stock_readers.hpp"
#include "am/table_am.hpp"
#include "buffer/pool.hpp"
#include "buffer/setup.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_ddl.hpp"

namespace glassheap::am {

namespace {

enum class Reader : std::uint8_t {
    none,
    page,   // asks the table's size, then reads its pages
    map,    // reads the FSM fork without asking anything
    check,  // reads pages and changes the copies
};

struct Known {
    const char *name;
    Reader reader;
};
constexpr Known kKnown[] = {{"get_raw_page", Reader::page},
                            {"pg_visibility", Reader::page},
                            {"pg_freespace", Reader::map},
                            {"pg_check_visible", Reader::check},
                            {"pg_check_frozen", Reader::check}};

needs_fmgr_hook_type next_needs_fmgr = nullptr;
fmgr_hook_type next_fmgr = nullptr;
int pages_running = 0;
int checks_running = 0;

Reader reader_of(Oid function) {
    HeapTuple tuple = ::SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) return Reader::none;
    const auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    Reader found = Reader::none;
    if (proc->prolang == ClanguageId) {
        for (const Known &known : kKnown)
            if (std::strcmp(NameStr(proc->proname), known.name) == 0) found = known.reader;
    }
    ::ReleaseSysCache(tuple);
    return found;
}

void show_as_it_is(Relation rel) {
    if (!buffer::is_ready() || RELATION_IS_OTHER_TEMP(rel)) return;
    buffer::flush_relation(pg::owned_file_of(rel));
    if (pg::is_temp(rel))
        pg::evict_local_core_copies(pg::file_of(rel));
    else
        pg::evict_core_copies(pg::file_of(rel));
}

// The function does not say which table it is about to read: all of them, once a call site.
void show_all_maps() {
    Relation classes = ::table_open(RelationRelationId, AccessShareLock);
    SysScanDesc scan = ::systable_beginscan(classes, InvalidOid, false, nullptr, 0, nullptr);
    while (HeapTuple tuple = ::systable_getnext(scan)) {
        const auto *row = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
        if (row->relkind != RELKIND_RELATION && row->relkind != RELKIND_MATVIEW) continue;
        // What somebody is about to drop or rewrite is left out rather than waited for.
        if (!::ConditionalLockRelationOid(row->oid, AccessShareLock)) continue;
        Relation rel = ::try_relation_open(row->oid, NoLock);
        if (rel != nullptr && is_ours(rel)) show_as_it_is(rel);
        if (rel != nullptr) ::relation_close(rel, NoLock);
        ::UnlockRelationOid(row->oid, AccessShareLock);
    }
    ::systable_endscan(scan);
    ::table_close(classes, AccessShareLock);
}

extern "C" bool gh_needs_fmgr_hook(Oid function) {
    return (next_needs_fmgr != nullptr && next_needs_fmgr(function)) || reader_of(function) != Reader::none;
}

void count_running(Reader reader, int by) noexcept {
    int &running = reader == Reader::check ? checks_running : pages_running;
    if (reader == Reader::check || reader == Reader::page) running = std::max(0, running + by);
}

// Called around every function that any hook (or SECURITY DEFINER) made special; `seen` is zero at first, and
// lives as long as the call site.
extern "C" void gh_fmgr_hook(FmgrHookEventType event, FmgrInfo *flinfo, Datum *seen) {
    if (next_fmgr != nullptr) next_fmgr(event, flinfo, seen);
    if (event == FHET_ABORT) {
        // An error unwinds everything that was running; no catalog look-ups while it does.
        pages_running = 0;
        checks_running = 0;
        return;
    }
    const Reader reader = reader_of(flinfo->fn_oid);
    count_running(reader, event == FHET_START ? 1 : -1);
    if (reader != Reader::map || event != FHET_START) return;
    if (next_fmgr == nullptr) {  // else *seen is the other hook's
        if (*seen != 0) return;
        *seen = 1;
    }
    show_all_maps();
}

}  // namespace

void meet_stock_reader(Relation rel) {
    if (checks_running > 0) [[unlikely]]
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("pg_check_visible and pg_check_frozen cannot read glassheap table \"%s\"",
                               RelationGetRelationName(rel)),
                        errdetail("They would read and change copies of its pages in shared_buffers."),
                        errhint("Use glassheap_check_visible or glassheap_check_frozen instead.")));
    if (pages_running > 0) [[unlikely]]
        show_as_it_is(rel);
}

void install_stock_reader_hooks() {
    next_needs_fmgr = needs_fmgr_hook;
    needs_fmgr_hook = gh_needs_fmgr_hook;
    next_fmgr = fmgr_hook;
    fmgr_hook = gh_fmgr_hook;
}

}  // namespace glassheap::am
