// heap/handed_pages.cpp — see handed_pages.hpp.
//
// Invariants: heap.H1 per level of triggers the last two rows fetched (old and new version of an update) are
//            remembered, for the running transaction.
//         heap.H2 the last one also counts on its own level, but only within the command that fetched it: the
//            executor keeps the old version of the row that UPDATE or MERGE works on until it has the next.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/handed_pages.hpp"

#include "pg/pg_process.hpp"
#include "pg/pg_relfile.hpp"

namespace glassheap::heap {

namespace {

struct HandedPage {
    LocalTransactionId transaction;
    Cid command;
    pg::RelFile file;
    BlockNo block;
};

constexpr int kLevels = 8;    // deeper triggers are not remembered
constexpr int kPerLevel = 2;  // heap.H1

HandedPage handed[kLevels][kPerLevel];

int trigger_level() noexcept {
    return DatumGetInt32(::pg_trigger_depth(nullptr));
}

bool is_same(const HandedPage &entry, Relation rel, BlockNo block) noexcept {
    return entry.block == block && entry.transaction == pg::my_lxid() &&
           pg::is_same_file(entry.file, pg::file_of(rel));
}

}  // namespace

void note_handed_out(Relation rel, BlockNo block) noexcept {
    const int level = trigger_level();
    if (level >= kLevels) return;
    HandedPage *entries = handed[level];
    const Cid command = ::GetCurrentCommandId(false);
    if (is_same(entries[0], rel, block)) {
        entries[0].command = command;
        return;
    }
    entries[1] = entries[0];
    entries[0] = {.transaction = pg::my_lxid(), .command = command, .file = pg::file_of(rel), .block = block};
}

bool is_handed_out(Relation rel, BlockNo block) noexcept {
    const int level = std::min(trigger_level(), kLevels);
    if (level < kLevels && is_same(handed[level][0], rel, block) &&
        handed[level][0].command == ::GetCurrentCommandId(false))
        return true;
    for (int outer = 0; outer < level; ++outer) {
        for (const HandedPage &entry : handed[outer]) {
            if (is_same(entry, rel, block)) return true;
        }
    }
    return false;
}

}  // namespace glassheap::heap
