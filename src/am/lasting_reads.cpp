// am/lasting_reads.cpp — see am/lasting_reads.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/lasting_reads.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/pool.hpp"
#include "buffer/setup.hpp"

namespace glassheap::am {

namespace {

// A check of a foreign key may begin a scan per row, and no lock keeps us from settling again and again: once
// in each command and strength of lock.  An event trigger may have read the table before the command has its
// lock: what was changed meanwhile is not settled.
struct Settled {
    Oid relid;
    LOCKMODE lock;  // the strongest that was held
    int level;      // of the subtransaction that settled it: if that aborts, its lock goes
    Settled *next;
};
struct Command {
    Settled *settled;
    Command *outer;
};
constinit Command *command = nullptr;  // the innermost

bool is_shared(Relation rel) noexcept {
    return buffer::is_ready() && !pg::is_temp(rel);
}

Settled *find_settled(Relation rel) noexcept {
    Settled *entry = command->settled;
    while (entry != nullptr && entry->relid != RelationGetRelid(rel)) entry = entry->next;
    return entry;
}

bool is_settled(Relation rel) {
    const Settled *entry = find_settled(rel);
    if (entry == nullptr) return false;
    return entry->lock == MaxLockMode || !::CheckRelationLockedByMe(rel, entry->lock + 1, true);
}

LOCKMODE strongest_lock(Relation rel) {
    LOCKMODE mode = MaxLockMode;
    while (mode > NoLock && !::CheckRelationLockedByMe(rel, mode, false)) --mode;
    return mode;
}

void note_settled(Relation rel, LOCKMODE lock) {
    Settled *entry = find_settled(rel);
    if (entry == nullptr) {
        entry = static_cast<Settled *>(::MemoryContextAlloc(TopMemoryContext, sizeof(Settled)));
        *entry = {.relid = RelationGetRelid(rel), .lock = NoLock, .level = 0, .next = command->settled};
        command->settled = entry;
    }
    entry->lock = lock;
    entry->level = ::GetCurrentTransactionNestLevel();
}

// Its entries go to its parent, or with it.
void end_subtransaction(Command *of, int level, bool committed) noexcept {
    for (Settled **at = &of->settled; *at != nullptr;) {
        Settled *entry = *at;
        if (entry->level >= level && !committed) {
            *at = entry->next;
            ::pfree(entry);
            continue;
        }
        entry->level = std::min(entry->level, level - 1);
        at = &entry->next;
    }
}

extern "C" void gh_lasting_reads_subxact(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB) return;
    for (Command *one = command; one != nullptr; one = one->outer)
        end_subtransaction(one, ::GetCurrentTransactionNestLevel(), event == SUBXACT_EVENT_COMMIT_SUB);
}

void settle(Relation rel) {
    buffer::settle_core_copies(pg::file_of(rel));
    if (command != nullptr) note_settled(rel, strongest_lock(rel));
}

void end_command() noexcept {
    while (command->settled != nullptr) ::pfree(std::exchange(command->settled, command->settled->next));
    command = command->outer;
}

}  // namespace

// ATTACH PARTITION and CREATE [FOREIGN] TABLE .. PARTITION OF read the default partition.
bool is_lasting_read(const Node *statement) noexcept {
    switch (nodeTag(statement)) {
        case T_AlterTableStmt:
        case T_AlterDomainStmt:
        case T_CreateStmt:
        case T_CreateForeignTableStmt:
        case T_IndexStmt:
        case T_ReindexStmt:
            return true;
        default:
            return false;
    }
}

void run_lasting_read(const UtilityCall &call, void (*run)(const UtilityCall &)) {
    static bool registered = false;
    if (!registered) ::RegisterSubXactCallback(gh_lasting_reads_subxact, nullptr);
    registered = true;
    Command mine = {nullptr, command};
    command = &mine;
    PG_TRY();
    { run(call); }
    PG_CATCH();
    {
        end_command();
        PG_RE_THROW();
    }
    PG_END_TRY();
    end_command();
}

void settle_before_scan(Relation rel) {
    if (command == nullptr || !is_shared(rel) || IsParallelWorker()) return;
    if (!is_settled(rel)) settle(rel);
}

void settle_before_parallel_scan(Relation rel) {
    if (command != nullptr && is_shared(rel)) settle(rel);
}

void settle_before_build(Relation rel, BlockNo first, BlockNo count) {
    if (!is_shared(rel)) return;
    if (count == kInvalidBlock)
        settle(rel);
    else
        buffer::settle_core_copies(pg::file_of(rel), first, count);
}

}  // namespace glassheap::am
