// am/new_tables.cpp — see am/new_tables.hpp; README.md has the decisions, row by row.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/extension_calls.hpp"
#include "am/new_table_rule.hpp"
#include "am/new_tables.hpp"
#include "am/table_am.hpp"
#include "pg/pg_guc.hpp"

namespace glassheap::am {

namespace {

constexpr const char *kOurs = "glassheap";
constexpr const char *kHeap = "heap";
constexpr const char *kDefaultMethod = "default_table_access_method";
constexpr const char *kNewTables = "glassheap.default_for_new_tables";

bool default_for_new_tables = false;
const config_generic *default_method_setting = nullptr;  // both for their sources
const config_generic *new_tables_setting = nullptr;

bool is_our_method(Oid am) {
    HeapTuple tuple = ::SearchSysCache1(AMOID, ObjectIdGetDatum(am));
    if (!HeapTupleIsValid(tuple)) return false;
    const auto *row = reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple));
    const char type = row->amtype;
    const Oid handler = row->amhandler;
    ::ReleaseSysCache(tuple);
    return type == AMTYPE_TABLE && ::GetTableAmRoutine(handler) == routine();
}

// By its name, too: an extension may be created before ours is.
bool default_is_ours() {
    if (std::strcmp(default_table_access_method, kOurs) == 0) return true;
    return is_our_method(::get_table_am_oid(default_table_access_method, true));
}

// ---- what a statement creates

struct NewTable {
    const RangeVar *name = nullptr;  // null: nothing that has an access method
    char **access_method = nullptr;  // where the statement keeps what USING said
};

NewTable table_of(Node *statement) {
    switch (nodeTag(statement)) {
        case T_CreateStmt: {
            auto *create = reinterpret_cast<CreateStmt *>(statement);
            if (create->partspec != nullptr) return {};
            return {create->relation, &create->accessMethod};
        }
        case T_CreateTableAsStmt: {
            IntoClause *into = reinterpret_cast<CreateTableAsStmt *>(statement)->into;
            return {into->rel, &into->accessMethod};
        }
        case T_ExplainStmt: {  // with ANALYZE it creates the table
            auto *query = reinterpret_cast<Query *>(reinterpret_cast<ExplainStmt *>(statement)->query);
            if (!IsA(query, Query) || query->utilityStmt == nullptr) return {};
            return IsA(query->utilityStmt, CreateTableAsStmt) ? table_of(query->utilityStmt) : NewTable{};
        }
        default:
            return {};
    }
}

// Where the table will lie; invalid if that is not known here, or a temporary schema.
Oid schema_of(const RangeVar *name) {
    if (name->relpersistence == RELPERSISTENCE_TEMP) return InvalidOid;
    if (name->schemaname != nullptr) return ::get_namespace_oid(name->schemaname, true);
    List *path = ::fetch_search_path(false);
    const Oid first = path != NIL ? linitial_oid(path) : InvalidOid;
    ::list_free(path);
    return first;
}

Oid extension_of_schema(const RangeVar *name) {
    const Oid schema = schema_of(name);
    return OidIsValid(schema) ? ::getExtensionOfObject(NamespaceRelationId, schema) : InvalidOid;
}

// ---- the decisions

// pg_repack fills its copy by SQL, then gives the copy's file to the original, whose access method stays: the
// copy must have the original's.  Null: not such a copy.
const char *method_of_repacked(const RangeVar *name) {
    const Oid original = repacked_original(name->relname);
    if (!OidIsValid(original)) return nullptr;
    const Oid extension = extension_of_schema(name);
    const char *extension_name = OidIsValid(extension) ? ::get_extension_name(extension) : nullptr;
    if (extension_name == nullptr || std::strcmp(extension_name, "pg_repack") != 0) return nullptr;
    HeapTuple tuple = ::SearchSysCache1(RELOID, ObjectIdGetDatum(original));
    if (!HeapTupleIsValid(tuple)) return nullptr;
    const Oid am = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relam;
    ::ReleaseSysCache(tuple);
    return OidIsValid(am) ? ::get_am_name(am) : nullptr;
}

bool setting_applies() {
    if (!default_for_new_tables || IsBinaryUpgrade) return false;
    if (std::strcmp(default_table_access_method, kHeap) != 0) return false;
    return new_tables_setting_decides(
        {default_method_setting->source, new_tables_setting->source, PGC_S_SESSION});
}

bool our_method_exists() {
    static bool told = false;
    if (is_our_method(::get_table_am_oid(kOurs, true))) return true;
    if (!told)
        ereport(WARNING, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                          errmsg("new tables of this database are heap tables, although "
                                 "glassheap.default_for_new_tables is on"),
                          errdetail("The extension glassheap does not exist in database \"%s\".",
                                    ::get_database_name(MyDatabaseId)),
                          errhint("Run CREATE EXTENSION glassheap there.")));
    told = true;
    return false;
}

// Null: as PostgreSQL decides.
const char *method_for(const RangeVar *name) {
    if (const char *method = method_of_repacked(name)) return method;
    // Scripts that come past run_extension_script (pglogical calls ALTER EXTENSION's function itself).
    if (creating_extension) return default_is_ours() ? kHeap : nullptr;
    if (!setting_applies() || in_extension_call()) return nullptr;
    if (OidIsValid(extension_of_schema(name))) return nullptr;
    return our_method_exists() ? kOurs : nullptr;
}

}  // namespace

void define_new_table_settings() {
    ::DefineCustomBoolVariable(kNewTables,
                               "Makes the tables that users create glassheap tables, unless they say USING.",
                               "Tables that extensions create stay as default_table_access_method says.  It "
                               "decides where that is heap, "
                               "unless that was set more specially, or by the session itself.",
                               &default_for_new_tables, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    default_method_setting = pg::setting_named(kDefaultMethod);
    new_tables_setting = pg::setting_named(kNewTables);
    GH_ASSERT(default_method_setting != nullptr && new_tables_setting != nullptr);
    install_extension_call_hooks(&default_for_new_tables);
}

// For the whole script, so that it holds for what its C functions create, too.  An error ends the level with
// its (sub)transaction.
void run_extension_script(const UtilityCall &call) {
    if (!default_is_ours()) return call.run();
    const int level = ::NewGUCNestLevel();
    (void)::set_config_option(kDefaultMethod, kHeap, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                              false);
    call.run();
    ::AtEOXact_GUC(true, level);
}

// Who is a member stands in pg_depend, whose changes nobody is told: all sessions forget what they know of
// functions (am/extension_calls).
void change_extension_members(const UtilityCall &call) {
    call.run();
    ::CacheInvalidateCatalog(ProcedureRelationId);
}

void create_table(UtilityCall call) {
    NewTable table = table_of(call.statement());
    if (table.name == nullptr || *table.access_method != nullptr) return call.run();
    const char *method = method_for(table.name);
    if (method != nullptr) {
        call.own_tree();
        *table_of(call.statement()).access_method = ::pstrdup(method);
    }
    call.run();
}

}  // namespace glassheap::am
