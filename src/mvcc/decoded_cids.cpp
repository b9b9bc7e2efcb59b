// mvcc/decoded_cids.cpp — see decoded_cids.hpp.
//
// Invariants: mvcc.C1 mappings are applied in the order of the rewrites, so that a row rewritten twice is
//            followed twice.
//         mvcc.C2 nothing is added for rows whose command ids the decoder does not know: they stay in the
//         future.
// Errors: ERROR with the file's name.
// See:    heap/rewrite_mappings.cpp writes the files; PG: replication/logical/reorderbuffer.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/decoded_cids.hpp"

#include "base/containers.hpp"
#include "pg/pg_logical_rewrite.hpp"

namespace glassheap::mvcc {

namespace {

constexpr const char *kFolder = "pg_logical/mappings";

pg::TupleCidEntry *find(HTAB *cids, const pg::TupleCidKey &key) {
    return static_cast<pg::TupleCidEntry *>(::hash_search(cids, &key, HASH_FIND, nullptr));
}

// The row at the old address is at the new one now.
void follow(HTAB *cids, const pg::RowMapping &mapping) {
    const pg::TupleCidEntry *old = find(cids, pg::old_place(mapping));
    if (old == nullptr) return;  // mvcc.C2
    const pg::TupleCidEntry known = *old;
    const pg::TupleCidKey key = pg::new_place(mapping);
    bool found;
    auto *entry = static_cast<pg::TupleCidEntry *>(::hash_search(cids, &key, HASH_ENTER, &found));
    if (found) return;
    entry->cmin = known.cmin;
    entry->cmax = known.cmax;
    entry->combocid = known.combocid;
}

void follow_all_of(HTAB *cids, const char *path) {
    const int fd = ::OpenTransientFile(path, O_RDONLY | PG_BINARY);
    if (fd < 0) ereport(ERROR, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
    for (;;) {
        pg::RowMapping mapping;
        ::pgstat_report_wait_start(WAIT_EVENT_REORDER_LOGICAL_MAPPING_READ);
        const ssize_t bytes = ::read(fd, &mapping, sizeof mapping);
        ::pgstat_report_wait_end();
        if (bytes < 0)
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path)));
        if (bytes == 0) break;
        if (bytes != sizeof mapping)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("could not read from file \"%s\": read %zd instead of %zu bytes", path,
                                   bytes, sizeof mapping)));
        follow(cids, mapping);
    }
    if (::CloseTransientFile(fd) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not close file \"%s\": %m", path)));
}

struct MappingFile {
    Lsn rewritten_at;
    char path[MAXPGPATH];
};

// The file's name tells what it maps: rows of which table, changed by which transaction, and who rewrote it.
bool is_relevant(const char *name, Oid database, Oid table, Snapshot snapshot, MappingFile *file) {
    Oid of_database;
    Oid of_table;
    uint32 hi;
    uint32 lo;
    Xid mapped_xid;
    Xid rewriter;
    if (std::strncmp(name, "map-", 4) != 0) return false;
    if (std::sscanf(name, LOGICAL_REWRITE_FORMAT, &of_database, &of_table, &hi, &lo, &mapped_xid,
                    &rewriter) != 6)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("could not parse filename \"%s\"", name)));
    if (of_database != database || of_table != table) return false;
    if (!is_decoded_one(mapped_xid, snapshot) || !::TransactionIdDidCommit(rewriter)) return false;
    file->rewritten_at = (static_cast<Lsn>(hi) << 32) | lo;
    ::pg_snprintf(file->path, sizeof file->path, "%s/%s", kFolder, name);
    return true;
}

void apply_mappings(HTAB *cids, Oid table, Snapshot snapshot) {
    const Oid database = ::IsSharedRelation(table) ? InvalidOid : MyDatabaseId;
    Vector<MappingFile> files;
    MappingFile file;
    DIR *folder = ::AllocateDir(kFolder);
    while (const dirent *entry = ::ReadDir(folder, kFolder))
        if (is_relevant(entry->d_name, database, table, snapshot, &file)) files.push_back(file);
    ::FreeDir(folder);
    std::sort(files.begin(), files.end(),  // mvcc.C1
              [](const MappingFile &a, const MappingFile &b) { return a.rewritten_at < b.rewritten_at; });
    for (const MappingFile &each : files) follow_all_of(cids, each.path);
}

}  // namespace

CommandIds decoded_cids(HeapTuple tuple, Snapshot snapshot) {
    HTAB *cids = ::HistoricSnapshotGetTupleCids();
    if (cids == nullptr) return {};
    Relation rel = ::RelationIdGetRelation(tuple->t_tableOid);  // open already: somebody scans it
    if (rel == nullptr) return {};
    const pg::TupleCidKey key = pg::tuple_cid_key(pg::file_of(rel), tuple->t_self);
    ::RelationClose(rel);

    const pg::TupleCidEntry *entry = find(cids, key);
    if (entry == nullptr) {
        apply_mappings(cids, tuple->t_tableOid, snapshot);
        entry = find(cids, key);
    }
    if (entry == nullptr) return {};
    return {true, entry->cmin, entry->cmax};
}

}  // namespace glassheap::mvcc
