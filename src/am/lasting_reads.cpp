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
// in each command.
struct Command {
    List *settled;
    Command *outer;
};
constinit Command *command = nullptr;  // the innermost

bool is_shared(Relation rel) noexcept {
    return buffer::is_ready() && !pg::is_temp(rel);
}

void note_settled(Oid relid) {
    MemoryContext outer = ::MemoryContextSwitchTo(TopMemoryContext);
    command->settled = ::lappend_oid(command->settled, relid);
    ::MemoryContextSwitchTo(outer);
}

void end_command() noexcept {
    ::list_free(command->settled);
    command = command->outer;
}

}  // namespace

// ATTACH PARTITION and CREATE TABLE .. PARTITION OF read the default partition.
bool is_lasting_read(const Node *statement) noexcept {
    switch (nodeTag(statement)) {
        case T_AlterTableStmt:
        case T_AlterDomainStmt:
        case T_CreateStmt:
        case T_IndexStmt:
        case T_ReindexStmt:
            return true;
        default:
            return false;
    }
}

void run_lasting_read(const UtilityCall &call, void (*run)(const UtilityCall &)) {
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
    if (::list_member_oid(command->settled, RelationGetRelid(rel))) return;
    buffer::settle_core_copies(pg::file_of(rel));
    note_settled(RelationGetRelid(rel));
}

void settle_before_parallel_scan(Relation rel) {
    if (command != nullptr && is_shared(rel)) buffer::settle_core_copies(pg::file_of(rel));
}

void settle_before_build(Relation rel, BlockNumber first, BlockNumber count) {
    if (!is_shared(rel)) return;
    if (count == InvalidBlockNumber)
        buffer::settle_core_copies(pg::file_of(rel));
    else
        buffer::settle_core_copies(pg::file_of(rel), first, count);
}

}  // namespace glassheap::am
