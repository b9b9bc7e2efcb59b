// wal/missing_pages.cpp — see missing_pages.hpp.  Lives in the startup process only.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "wal/missing_pages.hpp"

namespace glassheap::wal {

namespace {

struct Key {
    RelFileNode node;
    ForkNumber fork;
    BlockNo block;
};
struct Entry {
    Key key;
};

HTAB *table = nullptr;

void report(int level, const Key &key) {
    char *path = relpathperm(key.node, key.fork);
    ereport(level, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg_internal("page %u of relation %s does not exist or is empty", key.block, path)));
    ::pfree(path);
}

void give_up() {
    ereport(ignore_invalid_pages ? WARNING : PANIC,
            (errcode(ERRCODE_DATA_CORRUPTED), errmsg("WAL contains references to missing glassheap pages"),
             errhint("The data directory lacks files or blocks that this WAL was written for.")));
}

// Removes the entries that `explained` accepts.
template <typename Explained>
void remove_if(Explained explained) {
    if (table == nullptr) return;
    HASH_SEQ_STATUS status;
    ::hash_seq_init(&status, table);
    while (auto *entry = static_cast<Entry *>(::hash_seq_search(&status)))
        if (explained(entry->key)) ::hash_search(table, &entry->key, HASH_REMOVE, nullptr);
}

}  // namespace

void note_missing_page(const RelFileNode &node, ForkNumber fork, BlockNo block) {
    Key key;
    std::memset(&key, 0, sizeof key);
    key.node = node;
    key.fork = fork;
    key.block = block;
    if (reachedConsistency) {
        report(WARNING, key);
        give_up();
        return;
    }
    if (table == nullptr) {
        HASHCTL info;
        std::memset(&info, 0, sizeof info);
        info.keysize = sizeof(Key);
        info.entrysize = sizeof(Entry);
        table = ::hash_create("glassheap missing pages", 64, &info, HASH_ELEM | HASH_BLOBS);
    }
    report(DEBUG1, key);
    ::hash_search(table, &key, HASH_ENTER, nullptr);
}

void explain_missing_pages(const RelFileNode &node, BlockNo first_main, bool whole_relation) {
    remove_if([&](const Key &key) {
        return RelFileNodeEquals(key.node, node) &&
               (whole_relation || (key.fork == MAIN_FORKNUM && key.block >= first_main));
    });
}

void explain_missing_pages_of_database(Oid database) {
    remove_if([&](const Key &key) { return key.node.dbNode == database; });
}

void check_missing_pages() {
    if (table == nullptr || ::hash_get_num_entries(table) == 0) return;
    HASH_SEQ_STATUS status;
    ::hash_seq_init(&status, table);
    while (auto *entry = static_cast<Entry *>(::hash_seq_search(&status))) report(WARNING, entry->key);
    give_up();
    ::hash_destroy(table);
    table = nullptr;
}

}  // namespace glassheap::wal
