// storage/changed_owner.cpp — see storage/changed_owner.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/hand_over.hpp"
#include "buffer/settings.hpp"
#include "pg/pg_catalog_changes.hpp"
#include "storage/changed_owner.hpp"
#include "wal/emit.hpp"

namespace glassheap::storage {

namespace {

const TableAmRoutine *our_routine = nullptr;
ExecutorStart_hook_type next_executor_start = nullptr;

// Relations whose catalog rows this transaction changed since the last look.  What there is no memory for is
// left to the end of the transaction, which has the whole list.
constexpr int kNotedAtFirst = 64;
constinit Oid noted_at_first[kNotedAtFirst] = {};
constinit Oid *noted = noted_at_first;
constinit int noted_count = 0;
constinit int noted_capacity = kNotedAtFirst;

// Files that became ours in this transaction: if it aborts they are core's again.  In TopTransactionContext.
struct Arrived {
    RelFileNode file;
    Arrived *next;
};
constinit Arrived *arrived = nullptr;

// The last relations that this transaction dropped: looking for their rows would be in vain, and dear.
constexpr unsigned kDroppedMax = 64;
constinit Oid dropped[kDroppedMax] = {};
constinit unsigned dropped_count = 0;

struct Owner {
    RelFileNode file;
    Oid method;
    char persistence;
};

bool grow_noted() noexcept {
    const auto bytes = static_cast<Size>(noted_capacity) * sizeof(Oid);
    auto *larger = static_cast<Oid *>(
        ::MemoryContextAllocExtended(TopMemoryContext, 2 * bytes, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
    if (larger == nullptr) return false;
    std::memcpy(larger, noted, bytes);
    if (noted != noted_at_first) ::pfree(noted);
    noted = larger;
    noted_capacity *= 2;
    return true;
}

void forget_noted() noexcept {
    if (noted != noted_at_first) ::pfree(noted);
    noted = noted_at_first;
    noted_capacity = kNotedAtFirst;
    noted_count = 0;
}

// Called for every relation whose cached description became invalid, by whomever.  Own changes are made in
// transactions with an id; others' do no harm here.
extern "C" void gh_relcache_changed(Datum, Oid relid) {
    if (!OidIsValid(relid) || !TransactionIdIsValid(::GetTopTransactionIdIfAny())) return;
    if (noted_count > 0 && noted[noted_count - 1] == relid) return;
    if (noted_count < noted_capacity || grow_noted()) noted[noted_count++] = relid;
}

// False: nothing with a file of rows, or a temporary one.
bool owner_from(HeapTuple tuple, Owner *owner) {
    const auto *form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const bool is_table = form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW ||
                          form->relkind == RELKIND_TOASTVALUE;
    const Oid space = OidIsValid(form->reltablespace) ? form->reltablespace : MyDatabaseTableSpace;
    const Oid database = form->relisshared ? InvalidOid : MyDatabaseId;
    *owner = {{space, database, form->relfilenode}, form->relam, form->relpersistence};
    return is_table && OidIsValid(form->relfilenode) && form->relpersistence != RELPERSISTENCE_TEMP;
}

bool owner_now(Oid relid, Owner *owner) {
    HeapTuple tuple = ::SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool found = owner_from(tuple, owner);
    ::ReleaseSysCache(tuple);
    return found;
}

// Had the relation another file, or the same under another access method, before the transaction?  Or did it
// not exist?
enum class Past : std::uint8_t { same, other_file, other_method, none };

Past compare(const Owner &before, const Owner &now) noexcept {
    if (!RelFileNodeEquals(before.file, now.file)) return Past::other_file;
    return before.method == now.method ? Past::same : Past::other_method;
}

Past past_of(Oid relid, const Owner &now, Oid *method) {
    ScanKeyData key;
    ::ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
    Relation classes = ::table_open(RelationRelationId, AccessShareLock);
    SysScanDesc scan = ::systable_beginscan(classes, ClassOidIndexId, true, SnapshotAny, 1, &key);
    bool mine = false;
    Past past = Past::same;
    while (HeapTuple tuple = ::systable_getnext(scan)) {
        if (::TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data))) {
            mine = true;
            continue;
        }
        if (!::TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(tuple->t_data))) continue;
        Owner before;
        past = owner_from(tuple, &before) ? compare(before, now) : Past::other_file;
        *method = before.method;
        mine = false;
        break;
    }
    ::systable_endscan(scan);
    ::table_close(classes, AccessShareLock);
    return mine ? Past::none : past;
}

[[noreturn]] void refuse(Oid relid) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("cannot change the access method of \"%s\" while other transactions use it",
                           ::get_rel_name(relid)),
                    errdetail("Its pages have to change from one buffer pool to the other."),
                    errhint("Lock the table in ACCESS EXCLUSIVE mode first.")));
    pg_unreachable();
}

void need_exclusive_use(Oid relid) {
    if (!::ConditionalLockRelationOid(relid, AccessExclusiveLock)) refuse(relid);
}

// Standbys have their own pages of the file, whatever our pool has.
void tell_standbys(const RelFileNode &file) {
    wal::emit_file_event(file, wal::FileEvent::handed_over);
}

bool has_arrived(const RelFileNode &file) noexcept {
    for (const Arrived *known = arrived; known != nullptr; known = known->next)
        if (RelFileNodeEquals(known->file, file)) return true;
    return false;
}

void note_arrived(const RelFileNode &file) {
    if (has_arrived(file)) return;
    auto *fresh = static_cast<Arrived *>(::MemoryContextAlloc(TopTransactionContext, sizeof(Arrived)));
    *fresh = {file, arrived};
    arrived = fresh;
}

// Files that an abort will unlink: they were never core's.  Within a subtransaction, those that it made.
struct Unborn {
    RelFileNode *nodes = nullptr;
    int count = ::smgrGetPendingDeletes(false, &nodes);

    bool has(const RelFileNode &file) const noexcept {
        return std::any_of(nodes, nodes + count,
                           [&file](const RelFileNode &node) { return RelFileNodeEquals(node, file); });
    }
};

// Without opening the relation: its cached description may just have been thrown away.
bool is_our_method(Oid method) {
    HeapTuple tuple = ::SearchSysCache1(AMOID, ObjectIdGetDatum(method));
    if (!HeapTupleIsValid(tuple)) return false;
    const Oid handler = reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple))->amhandler;
    ::ReleaseSysCache(tuple);
    return ::GetTableAmRoutine(handler) == our_routine;
}

void check_lost(Oid relid, const Owner &now) {
    Oid method = InvalidOid;
    const Past past = past_of(relid, now, &method);
    // One that arrived is core's again if the subtransaction that gave it to us was rolled back.
    if (past == Past::same && !has_arrived(now.file)) return;
    if (past == Past::other_method && !is_our_method(method)) return;
    need_exclusive_use(relid);
    const bool had_pages = buffer::has_pages(now.file);
    buffer::hand_over_to_core(now.file);
    if (now.persistence == RELPERSISTENCE_PERMANENT) tell_standbys(now.file);
    if (!had_pages) return;
    ereport(LOG, (errmsg("glassheap: the file of relation \"%s\" is no longer one of a glassheap table",
                         ::get_rel_name(relid)),
                  errdetail("Its pages were written and have left glassheap's pool.")));
}

void check_gained(Oid relid, const Owner &now) {
    Oid method = InvalidOid;
    if (past_of(relid, now, &method) == Past::same) return;
    need_exclusive_use(relid);
    note_arrived(now.file);
}

bool is_dropped(Oid relid) noexcept {
    Oid *end = dropped + std::min(dropped_count, kDroppedMax);
    return std::find(dropped, end, relid) != end;
}

void check(Oid relid, const Unborn &unborn) {
    Owner now;
    if (is_dropped(relid)) return;
    if (!owner_now(relid, &now)) return;  // dropped: nobody will read it
    if (unborn.has(now.file)) return;
    if (is_our_method(now.method))
        check_gained(relid, now);
    else
        check_lost(relid, now);
}

// The checks may note more, so they get a list of their own.
void check_noted() {
    if (::IsInParallelMode()) return;
    const int count = noted_count;
    auto *relids = static_cast<Oid *>(::palloc(static_cast<Size>(count) * sizeof(Oid)));
    std::copy(noted, noted + count, relids);
    forget_noted();
    std::sort(relids, relids + count);
    const Oid *end = std::unique(relids, relids + count);
    const Unborn unborn;
    if (buffer::debug_tripwire)
        for (const Oid *relid = relids; relid != end; ++relid) check(*relid, unborn);
    ::pfree(relids);
}

void check_messages(const SharedInvalidationMessage *messages, int count) {
    bool visible = false;
    Oid last = InvalidOid;
    const Unborn unborn;
    for (int i = 0; i < count; ++i) {
        if (messages[i].id != SHAREDINVALRELCACHE_ID || messages[i].rc.relId == last) continue;
        last = messages[i].rc.relId;
        if (!OidIsValid(last)) continue;
        // What the last command wrote into the catalog is seen from the next one on.
        if (!visible) ::CommandCounterIncrement();
        visible = true;
        check(last, unborn);
    }
}

void give_arrived_back(const Unborn &unborn, void (*give)(const RelFileNode &)) {
    for (const Arrived *file = std::exchange(arrived, nullptr); file != nullptr; file = file->next) {
        if (unborn.has(file->file)) continue;
        give(file->file);
        if (XLogIsNeeded()) tell_standbys(file->file);
    }
}

extern "C" void gh_executor_start(QueryDesc *query, int flags) {
    check_owners_now();
    if (next_executor_start != nullptr)
        next_executor_start(query, flags);
    else
        ::standard_ExecutorStart(query, flags);
}

}  // namespace

void owner_is_dropped(Oid relid) noexcept {
    dropped[dropped_count++ % kDroppedMax] = relid;
}

void check_owners_now() {
    if (noted_count > 0 && ::IsTransactionState()) [[unlikely]]
        check_noted();
}

void check_owners_before_end() {
    if (!TransactionIdIsValid(::GetTopTransactionIdIfAny())) return;
    check_owners_now();
    if (!buffer::debug_tripwire) return;
    SharedInvalidationMessage *messages = nullptr;
    bool init_file;
    const int count = ::xactGetCommittedInvalidationMessages(&messages, &init_file);
    if (count == 0) return;
    check_messages(messages, count);
    ::pfree(messages);
}

void owners_before_prepare() {
    check_owners_before_end();
    give_arrived_back(Unborn(), buffer::hand_over_to_core);  // it may be committed: nothing is thrown away
    forget_noted();
    dropped_count = 0;
}

void owners_at_commit() noexcept {
    forget_noted();
    dropped_count = 0;
    arrived = nullptr;
}

// What it dropped is there again.
void owners_at_subabort() noexcept {
    dropped_count = 0;
}

// Core reads these files again.  A page that cannot be written now would be missing there: PANIC, and replay
// brings it.
void owners_at_abort() noexcept {
    forget_noted();
    dropped_count = 0;
    if (arrived == nullptr) return;
    const Unborn unborn;
    START_CRIT_SECTION();
    give_arrived_back(unborn, buffer::give_back_to_core);
    END_CRIT_SECTION();
}

void install_owner_watch(const TableAmRoutine *ours) {
    our_routine = ours;
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = gh_executor_start;
    ::CacheRegisterRelcacheCallback(gh_relcache_changed, 0);
}

}  // namespace glassheap::storage
