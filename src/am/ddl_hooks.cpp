// am/ddl_hooks.cpp — see ddl_hooks.hpp; doc/design/files.md#events has the reasons, row by row.
//
//   CREATE DATABASE          strategy wal_log copies pages through shared_buffers: forced to file_copy, whose
//                            checkpoint makes the guardians write everything first.  Refused while a table of
//                            the template is in two pools: its file has one of its versions
//   ALTER DATABASE .. SET    files move under the pages: forgotten while the database is locked against
//     TABLESPACE             connections and already checkpointed; refused as above
//   DROP DATABASE            forgotten when it is gone (before, core's checkpoint must still write); or at
//                            once if an earlier one has marked it invalid, and failed for a page of it
//   DROP of a temporary      core says nothing at commit about files of temporary tables: noted here, for
//     table                  lifecycle/lifecycle
//   every new relation,      whose file is new need not be searched for when its method is looked at
//     TRUNCATE               (lifecycle/changed_owner)
//   a new relation to be     what was changed in shared_buffers is settled before it is read (core_copies);
//     swapped with a table     VACUUM FULL, CLUSTER, ALTER TABLE, REFRESH MATERIALIZED VIEW
//   ALTER TABLE, indexes,    the same before rows are read that the outcome depends on for ever:
//     ALTER DOMAIN, CREATE     am/lasting_reads
//     [FOREIGN] TABLE
//   CHECKPOINT               whoever waits for our workers says so (buffer/silent_holders)
//   CREATE TABLE, EXTENSION  which access method a table gets that does not say: am/new_tables
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/ddl_hooks.hpp"
#include "am/lasting_reads.hpp"
#include "am/new_tables.hpp"
#include "am/table_am.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/pool.hpp"
#include "buffer/setup.hpp"
#include "buffer/silent_holders.hpp"
#include "buffer/two_pools.hpp"
#include "heap/insert_run.hpp"
#include "lifecycle/changed_owner.hpp"
#include "lifecycle/lifecycle.hpp"
#include "pg/pg_ddl.hpp"

namespace glassheap::am {

namespace {

ProcessUtility_hook_type next_utility = nullptr;
object_access_hook_type next_object_access = nullptr;

// ---- databases

constexpr const char *kStrategy = "strategy";
constexpr const char *kFileCopy = "file_copy";

DefElem *find_option(List *options, const char *name) {
    for (auto *option : pg::each<DefElem>(options))
        if (std::strcmp(option->defname, name) == 0) return option;
    return nullptr;
}

Node *file_copy_value() {
    return reinterpret_cast<Node *>(::makeString(::pstrdup(kFileCopy)));
}

void force_file_copy(CreatedbStmt *stmt) {
    DefElem *strategy = find_option(stmt->options, kStrategy);
    if (strategy == nullptr) {
        stmt->options = ::lappend(stmt->options, ::makeDefElem(::pstrdup(kStrategy), file_copy_value(), -1));
        return;
    }
    // Core complains about anything that is neither of the two.
    if (strategy->arg == nullptr || ::pg_strcasecmp(::defGetString(strategy), "wal_log") != 0) return;
    ereport(NOTICE,
            (errmsg("CREATE DATABASE uses strategy file_copy because glassheap is loaded"),
             errdetail("Strategy wal_log would copy glassheap tables as they were at the last checkpoint.")));
    strategy->arg = file_copy_value();
}

// The database that an ALTER DATABASE .. SET TABLESPACE of this backend is moving.
Oid moving_database = InvalidOid;

Oid template_of(const CreatedbStmt *stmt) {
    DefElem *option = find_option(stmt->options, "template");
    const char *name = option != nullptr && option->arg != nullptr ? ::defGetString(option) : "template1";
    return ::get_database_oid(name, true);
}

// Core asks, too, but later: others shall not make us write.
bool may_create_databases() {
    if (::superuser()) return true;
    HeapTuple role = ::SearchSysCache1(AUTHOID, ObjectIdGetDatum(::GetUserId()));
    if (!HeapTupleIsValid(role)) return false;
    const bool may = reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcreatedb;
    ::ReleaseSysCache(role);
    return may;
}

// Writing them shows which tables are in two pools.
void refuse_two_versions(Oid database) {
    if (!OidIsValid(database) || !buffer::is_ready()) return;
    buffer::flush_database(database);
    buffer::refuse_database_in_two_pools(database);
}

// Asked once more afterwards, for a session that was there until a moment ago; core's copy of the files then
// stays behind.
void create_database(UtilityCall call) {
    call.own_tree();
    auto *stmt = reinterpret_cast<CreatedbStmt *>(call.statement());
    force_file_copy(stmt);
    const Oid source = template_of(stmt);
    if (may_create_databases()) refuse_two_versions(source);
    call.run();
    if (buffer::is_ready()) buffer::refuse_database_in_two_pools(source);
}

void alter_database(const UtilityCall &call) {
    auto *stmt = reinterpret_cast<AlterDatabaseStmt *>(call.statement());
    const bool moves = find_option(stmt->options, "tablespace") != nullptr;
    // Set again by every such command: an error may leave it behind.
    moving_database = moves ? ::get_database_oid(stmt->dbname, true) : InvalidOid;
    if (OidIsValid(moving_database) && pg::owns_database(moving_database))
        refuse_two_versions(moving_database);
    call.run();
    moving_database = InvalidOid;
}

// DROP DATABASE marks it so before its checkpoint; nobody can connect to such a database, or mend it.
bool is_invalid(Oid database) {
    HeapTuple row = ::SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(row)) return false;
    const bool invalid = ::database_is_invalid_form(reinterpret_cast<Form_pg_database>(GETSTRUCT(row)));
    ::ReleaseSysCache(row);
    return invalid;
}

void drop_database(const UtilityCall &call) {
    const auto *stmt = reinterpret_cast<const DropdbStmt *>(call.statement());
    const Oid database = ::get_database_oid(stmt->dbname, true);
    if (OidIsValid(database) && is_invalid(database)) buffer::forget_database(database, InvalidOid);
    call.run();
    if (!OidIsValid(database) || !buffer::is_ready()) return;
    buffer::forget_database(database, InvalidOid);
    buffer::unmark_database(database, InvalidOid);
}

void truncate(const UtilityCall &call) {
    const lifecycle::TruncateMark mark = lifecycle::before_truncate();
    call.run();
    lifecycle::owners_truncated(mark);
}

// Others are refused; they shall not wait, nor wake our workers.
void checkpoint(const UtilityCall &call) {
    if (::has_privs_of_role(::GetUserId(), ROLE_PG_CHECKPOINT)) buffer::ask_holders();
    call.run();
}

// A rollback is no command of the transaction, and must not fail.
bool is_rollback(const Node *statement) noexcept {
    if (!IsA(statement, TransactionStmt)) return false;
    const TransactionStmtKind kind = reinterpret_cast<const TransactionStmt *>(statement)->kind;
    return kind == TRANS_STMT_ROLLBACK || kind == TRANS_STMT_ROLLBACK_TO;
}

void run_command(const UtilityCall &call) {
    switch (nodeTag(call.statement())) {
        case T_CreatedbStmt:
            return create_database(call);
        case T_AlterDatabaseStmt:
            return alter_database(call);
        case T_DropdbStmt:
            return drop_database(call);
        case T_CreateExtensionStmt:
        case T_AlterExtensionStmt:
            return run_extension_script(call);
        case T_AlterExtensionContentsStmt:
            return change_extension_members(call);
        case T_CreateStmt:
        case T_CreateTableAsStmt:
        case T_ExplainStmt:
            return create_table(call);
        case T_TruncateStmt:
            return truncate(call);
        case T_CheckPointStmt:
            return checkpoint(call);
        default:
            return call.run();
    }
}

extern "C" void gh_process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
                                   ProcessUtilityContext context, ParamListInfo params,
                                   QueryEnvironment *environment, DestReceiver *dest,
                                   QueryCompletion *completion) {
    const bool rolls_back = is_rollback(pstmt->utilityStmt);
    if (!rolls_back) {
        heap::finish_runs();
        lifecycle::check_owners_now();
    }
    const auto next = next_utility != nullptr ? next_utility : ::standard_ProcessUtility;
    const UtilityCall call{.pstmt = pstmt,
                           .query = query,
                           .read_only_tree = read_only_tree,
                           .context = context,
                           .params = params,
                           .environment = environment,
                           .dest = dest,
                           .completion = completion,
                           .next = next};
    if (is_lasting_read(pstmt->utilityStmt))
        run_lasting_read(call, run_command);
    else
        run_command(call);
    if (!rolls_back) heap::finish_runs();  // a COPY, say, row by row
}

// ---- objects

void note_relation_drop(Oid relid) {
    if (::get_rel_persistence(relid) != RELPERSISTENCE_TEMP) return;
    const char kind = ::get_rel_relkind(relid);
    if (kind != RELKIND_RELATION && kind != RELKIND_MATVIEW) return;
    Relation rel = ::RelationIdGetRelation(relid);
    if (rel == nullptr) return;
    // Of another session's table (it died, or a superuser cleans up) nothing can be in our local pool.
    if (!RELATION_IS_OTHER_TEMP(rel)) lifecycle::note_temp_drop(pg::owned_file_of(rel));
    ::RelationClose(rel);
}

bool locked_exclusively(Oid table) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, table);
    return ::LockHeldByMe(&tag, AccessExclusiveLock);
}

// Whoever rewrites a table reads it into a new one whose name says which, and drops its file: with it would
// go what code that bypasses us has changed in shared_buffers.
void settle_before_rewrite(Oid new_table) {
    Relation rel = ::RelationIdGetRelation(new_table);
    if (rel == nullptr) return;
    Oid old_table = InvalidOid;
    const bool named = std::sscanf(RelationGetRelationName(rel), "pg_temp_%u", &old_table) == 1;
    ::RelationClose(rel);
    if (!named || !locked_exclusively(old_table)) return;
    rel = ::RelationIdGetRelation(old_table);
    if (rel == nullptr) return;
    if (is_ours(rel) && !pg::is_temp(rel) && buffer::is_ready()) buffer::settle_core_copies(pg::file_of(rel));
    ::RelationClose(rel);
}

extern "C" void gh_object_access(ObjectAccessType access, Oid classid, Oid object, int sub_id, void *arg) {
    if (next_object_access != nullptr) next_object_access(access, classid, object, sub_id, arg);
    if (access == OAT_DROP && classid == RelationRelationId && sub_id == 0) {
        note_relation_drop(object);
        lifecycle::owner_is_dropped(object);
    }
    if (access == OAT_POST_CREATE && classid == RelationRelationId && sub_id == 0) {
        lifecycle::owner_is_created(object);
        settle_before_rewrite(object);
    }
    // Under the lock that keeps connections out; what was dirty is written by the checkpoint before it.
    if (access == OAT_POST_ALTER && classid == DatabaseRelationId && OidIsValid(moving_database) &&
        object == moving_database && buffer::is_ready()) {
        buffer::refuse_database_in_two_pools(object);
        buffer::forget_database(object, InvalidOid);
    }
}

}  // namespace

void install_ddl_hooks() {
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = gh_process_utility;
    next_object_access = object_access_hook;
    object_access_hook = gh_object_access;
}

}  // namespace glassheap::am
