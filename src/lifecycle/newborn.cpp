// lifecycle/newborn.cpp — see lifecycle/newborn.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "lifecycle/newborn.hpp"

namespace glassheap::lifecycle {

namespace {

// The last noted first, so levels never rise along the chain.
struct Newborn {
    pg::RelFile file;  // the key
    Birth by;
    int nest_level;
    Newborn *older;
};

// Both in TopTransactionContext.
constinit HTAB *newborns = nullptr;
constinit Newborn *newest = nullptr;

HTAB *make_table() {
    HASHCTL shape = {};
    shape.keysize = sizeof(pg::RelFile);
    shape.entrysize = sizeof(Newborn);
    shape.hcxt = TopTransactionContext;
    return ::hash_create("glassheap new files", 32, &shape, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

}  // namespace

void note_newborn(const pg::RelFile &file, Birth by) {
    if (newborns == nullptr) newborns = make_table();
    bool found;
    auto *entry = static_cast<Newborn *>(::hash_search(newborns, &file, HASH_ENTER, &found));
    entry->by = by;
    if (found) return;
    entry->nest_level = ::GetCurrentTransactionNestLevel();
    entry->older = newest;
    newest = entry;
}

Birth birth_of(const pg::RelFile &file) noexcept {
    if (newborns == nullptr) return Birth::unknown;
    const auto *entry = static_cast<const Newborn *>(::hash_search(newborns, &file, HASH_FIND, nullptr));
    return entry == nullptr ? Birth::unknown : entry->by;
}

void newborns_at_subcommit(int nest_level) noexcept {
    for (Newborn *entry = newest; entry != nullptr && entry->nest_level >= nest_level; entry = entry->older)
        entry->nest_level = nest_level - 1;
}

void newborns_at_subabort(int nest_level) noexcept {
    while (newest != nullptr && newest->nest_level >= nest_level) {
        const Newborn *gone = newest;
        newest = gone->older;
        ::hash_search(newborns, &gone->file, HASH_REMOVE, nullptr);
    }
}

void newborns_at_end() noexcept {
    newborns = nullptr;  // its memory goes with the transaction
    newest = nullptr;
}

}  // namespace glassheap::lifecycle
