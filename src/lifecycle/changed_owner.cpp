// lifecycle/changed_owner.cpp — see lifecycle/changed_owner.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "base/containers.hpp"
#include "buffer/hand_over.hpp"
#include "buffer/settings.hpp"
#include "lifecycle/changed_owner.hpp"
#include "lifecycle/lifecycle.hpp"
#include "lifecycle/newborn.hpp"
#include "pg/pg_catalog_changes.hpp"
#include "pg/pg_transam.hpp"
#include "wal/emit.hpp"

namespace glassheap::lifecycle {

namespace {

const TableAmRoutine *our_routine = nullptr;
ExecutorStart_hook_type next_executor_start = nullptr;

// Relations whose catalog rows this transaction changed since the last look.
constexpr int kNotedAtFirst = 64;
constinit Oid noted_at_first[kNotedAtFirst] = {};
constinit Oid *noted = noted_at_first;
constinit int noted_count = 0;
constinit int noted_capacity = kNotedAtFirst;
// The first ones, which a look has in hand.  They stay noted until it is over: after an error in a
// subtransaction the next look begins anew.
constinit int noted_in_look = 0;
// Some were not looked at, for want of memory to note them or because the tripwire was off.  The end of the
// transaction has the whole list.
constinit bool some_missed = false;

// What the looks of this transaction cost, for tests.
struct Cost {
    std::uint64_t relations, listed;
};
constinit Cost cost = {};

// Queries and utility commands, those inside of others too.
constinit std::uint64_t commands_begun = 0;

// Files that became ours in this transaction: if it aborts they are core's again.
constinit ContextList<pg::RelFile> arrived{&TopTransactionContext};

// The last relations that this transaction dropped: looking for their rows would be in vain, and dear.
constexpr unsigned kDroppedMax = 64;
constinit Oid dropped[kDroppedMax] = {};
constinit unsigned dropped_count = 0;

struct Owner {
    pg::RelFile file;
    Oid method;
    char persistence;
    bool mine;    // the row was written by this transaction,
    Cid command;  // and by this command of it
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
    noted_in_look = 0;
}

// More were noted while the look went on.
void forget_looked_at() noexcept {
    const int looked_at = std::exchange(noted_in_look, 0);
    if (looked_at == noted_count) return forget_noted();
    std::copy(noted + looked_at, noted + noted_count, noted);
    noted_count -= looked_at;
}

// Called for every relation whose cached description became invalid, by whomever.  Own changes are made in
// transactions with an id; others' do no harm here.
extern "C" void gh_relcache_changed(Datum, Oid relid) {
    if (!OidIsValid(relid) || !TransactionIdIsValid(::GetTopTransactionIdIfAny())) return;
    if (noted_count > noted_in_look && noted[noted_count - 1] == relid) return;
    if (noted_count < noted_capacity || grow_noted())
        noted[noted_count++] = relid;
    else
        some_missed = true;
}

// False: nothing with a file of rows, or a temporary one.
bool owner_from(HeapTuple tuple, Owner *owner) {
    const auto *form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
    const bool is_table = form->relkind == RELKIND_RELATION || form->relkind == RELKIND_MATVIEW ||
                          form->relkind == RELKIND_TOASTVALUE;
    const Oid space = OidIsValid(form->reltablespace) ? form->reltablespace : MyDatabaseTableSpace;
    const Oid database = form->relisshared ? InvalidOid : MyDatabaseId;
    const bool mine = ::TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
    const Cid command = mine ? ::HeapTupleHeaderGetCmin(tuple->t_data) : kInvalidCid;
    *owner = {.file = {space, database, form->relfilenode},
              .method = form->relam,
              .persistence = form->relpersistence,
              .mine = mine,
              .command = command};
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
    if (!pg::is_same_file(before.file, now.file)) return Past::other_file;
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
void tell_standbys(const pg::RelFile &file) {
    wal::emit_file_event(file, wal::FileEvent::handed_over);
}

bool has_arrived(const pg::RelFile &file) noexcept {
    return std::any_of(arrived.begin(), arrived.end(),
                       [&file](const pg::RelFile &known) { return pg::is_same_file(known, file); });
}

void note_arrived(const pg::RelFile &file) {
    if (!has_arrived(file)) arrived.push_back(file);
}

// Core's list of files that an abort will unlink; within a subtransaction, of those that it made.  Asked for
// when it is needed, for all of it is walked; sorted if there are many questions.
class Unborn {
public:
    void ask() {
        count_ = ::smgrGetPendingDeletes(false, &nodes_);
        cost.listed += static_cast<std::uint64_t>(count_);
    }
    bool has(const pg::RelFile &file) {
        constexpr int kFew = 8;
        if (count_ < 0) ask();
        if (++questions_ == kFew) std::sort(nodes_, nodes_ + count_, before);
        if (questions_ >= kFew) return std::binary_search(nodes_, nodes_ + count_, file, before);
        return std::any_of(nodes_, nodes_ + count_,
                           [&file](const pg::RelFile &other) { return pg::is_same_file(other, file); });
    }
    void done() const noexcept {
        if (nodes_ != nullptr) ::pfree(nodes_);
    }

private:
    static bool before(const pg::RelFile &a, const pg::RelFile &b) noexcept {
        return std::memcmp(&a, &b, sizeof a) < 0;
    }

    pg::RelFile *nodes_ = nullptr;
    int count_ = -1;
    int questions_ = 0;
};

// File numbers that were given out, to whomever, while a command ran which makes files and does no more: an
// older file has another number.  Other sessions made files meanwhile too; of theirs this command did not
// write the row.  Empty if the counter wrapped around.
struct Fresh {
    Oid first = InvalidOid;
    Oid end = InvalidOid;
    Cid since = kInvalidCid;

    bool has(const Owner &now) const noexcept {
        const Oid number = pg::number_of(now.file);
        return now.mine && now.command >= since && number >= first && number < end;
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

// It leaves our pool, whatever that has of it.
void lose(Oid relid, const Owner &now) {
    need_exclusive_use(relid);
    const bool had_pages = buffer::has_pages(now.file);
    buffer::hand_over_to_core(now.file);
    if (now.persistence == RELPERSISTENCE_PERMANENT) tell_standbys(now.file);
    if (!had_pages) return;
    ereport(LOG, (errmsg("glassheap: the file of relation \"%s\" is no longer one of a glassheap table",
                         ::get_rel_name(relid)),
                  errdetail("Its pages were written and have left glassheap's pool.")));
}

void note_owner(const pg::RelFile &file, Birth owner) {
    if (owner == Birth::ours) sync_arrived_at_commit(file);
    note_newborn(file, owner);
}

// A file of this transaction under another access method than at its birth.  If it is ours now our misses
// take over, and what an abort leaves of it nobody reads.
void check_newborn(Oid relid, const Owner &now, Birth owner) {
    if (owner == Birth::others) lose(relid, now);
    note_owner(now.file, owner);
}

// What core had of it our misses take over.  Every look that meets it comes here; a rollback between two of
// them gives up the lock, and nothing else.
void take_over(Oid relid, const Owner &now) {
    need_exclusive_use(relid);
    if (has_arrived(now.file)) return;
    sync_arrived_at_commit(now.file);  // an outer subtransaction may have made it
    note_arrived(now.file);
}

bool is_dropped(Oid relid) noexcept {
    Oid *end = dropped + std::min(dropped_count, kDroppedMax);
    return std::find(dropped, end, relid) != end;
}

void check(Oid relid, Unborn &unborn, const Fresh &fresh) {
    Owner now;
    ++cost.relations;
    if (is_dropped(relid)) return;
    if (!owner_now(relid, &now)) return;  // dropped: nobody will read it
    const Birth owner = is_our_method(now.method) ? Birth::ours : Birth::others;
    const Birth birth = birth_of(now.file);
    if (birth == owner) return;
    if (birth != Birth::unknown) return check_newborn(relid, now, owner);
    if (fresh.has(now)) return note_owner(now.file, owner);
    Oid method = InvalidOid;
    const Past past = past_of(relid, now, &method);
    // One that arrived is core's again if the subtransaction that gave it to us was rolled back.
    if (past == Past::same && (owner == Birth::ours || !has_arrived(now.file))) return;
    if (past == Past::other_method && owner == Birth::others && !is_our_method(method)) return;
    // Not by our table AM, or it would be known; but one that arrived has pages in our pool.
    const bool is_other_file = past == Past::other_file || past == Past::none;
    if (is_other_file && !has_arrived(now.file) && unborn.has(now.file)) return note_owner(now.file, owner);
    if (owner == Birth::others) return lose(relid, now);
    take_over(relid, now);
}

void check_each(Vector<Oid> relids, const Fresh &fresh) {
    std::sort(relids.begin(), relids.end());
    const auto end = std::unique(relids.begin(), relids.end());
    Unborn unborn;
    for (auto relid = relids.begin(); relid != end; ++relid) check(*relid, unborn, fresh);
    unborn.done();
}

// The checks may note more, so they get a list of their own.
void check_noted(const Fresh &fresh) {
    if (::IsInParallelMode()) return;
    if (!buffer::debug_tripwire) {
        some_missed = true;
        return forget_noted();
    }
    noted_in_look = noted_count;
    check_each(Vector<Oid>(noted, noted + noted_count), fresh);
    forget_looked_at();
}

// All that the transaction changed.
void check_messages(const SharedInvalidationMessage *messages, int count) {
    Vector<Oid> relids;
    for (int i = 0; i < count; ++i)
        if (messages[i].id == SHAREDINVALRELCACHE_ID && OidIsValid(messages[i].rc.relId))
            relids.push_back(messages[i].rc.relId);
    check_each(std::move(relids), {});
}

bool has_relation(const SharedInvalidationMessage *messages, int count) noexcept {
    return std::any_of(messages, messages + count, [](const SharedInvalidationMessage &message) {
        return message.id == SHAREDINVALRELCACHE_ID && OidIsValid(message.rc.relId);
    });
}

void tell_cost() {
    const Cost told = std::exchange(cost, {});
    if (told.relations == 0) return;
    ereport(DEBUG3,
            (errmsg_internal("glassheap: looked for the owners of %llu relations, in lists of %llu files",
                             static_cast<unsigned long long>(told.relations),
                             static_cast<unsigned long long>(told.listed))));
}

void give_arrived_back(Unborn &unborn, void (*give)(const pg::RelFile &)) {
    for (; !arrived.empty(); arrived.pop_back()) {  // after an error the abort has those that are left
        if (unborn.has(arrived.back())) continue;
        give(arrived.back());
        if (XLogIsNeeded()) tell_standbys(arrived.back());
    }
}

// All but the files that arrived.
void forget_rest() noexcept {
    forget_noted();
    dropped_count = 0;
    some_missed = false;
    cost = {};
    newborns_at_end();
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

void owner_is_created(Oid relid) {
    Relation rel = ::RelationIdGetRelation(relid);
    if (rel == nullptr) return;
    const pg::RelFile file = pg::file_of(rel);
    const bool is_table = RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind) && OidIsValid(pg::number_of(file));
    const bool noted_before = !is_table || RelationUsesLocalBuffers(rel) || birth_of(file) != Birth::unknown;
    ::RelationClose(rel);
    if (!noted_before) note_newborn(file, Birth::others);
}

void check_owners_now() {
    ++commands_begun;
    if (noted_count > 0 && ::IsTransactionState()) [[unlikely]]
        check_noted({});
}

TruncateMark before_truncate() noexcept {
    return {pg::next_number(), ::GetCurrentCommandId(false), commands_begun};
}

void owners_truncated(const TruncateMark &mark) {
    if (noted_count == 0) return;
    const bool alone = mark.commands == commands_begun;
    check_noted(alone ? Fresh{mark.next_number, pg::next_number(), mark.command} : Fresh{});
}

void check_owners_before_end() {
    if (!TransactionIdIsValid(::GetTopTransactionIdIfAny())) return;
    check_owners_now();
    if (!buffer::debug_tripwire) return;
    SharedInvalidationMessage *messages = nullptr;
    bool init_file;
    const int count = ::xactGetCommittedInvalidationMessages(&messages, &init_file);
    if (count == 0) return;
    if (has_relation(messages, count)) {
        // What the last command wrote into the catalog is noted, and seen, from the next one on.
        ::CommandCounterIncrement();
        check_owners_now();
        if (some_missed) check_messages(messages, count);
    }
    ::pfree(messages);
    tell_cost();
}

void owners_before_prepare() {
    check_owners_before_end();
    Unborn unborn;
    give_arrived_back(unborn, buffer::hand_over_to_core);  // it may be committed: nothing is thrown away
}

void owners_at_commit() noexcept {
    arrived.forget();
    forget_rest();
}

void owners_at_subcommit(int nest_level) noexcept {
    newborns_at_subcommit(nest_level);
}

// What it dropped is there again.
void owners_at_subabort(int nest_level) noexcept {
    dropped_count = 0;
    newborns_at_subabort(nest_level);
}

// Core reads these files again.  A page that cannot be written now would be missing there: PANIC, and replay
// brings it.
void owners_at_abort() noexcept {
    forget_rest();
    if (arrived.empty()) return;
    Unborn unborn;
    unborn.ask();
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

}  // namespace glassheap::lifecycle
