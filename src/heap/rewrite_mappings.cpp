// heap/rewrite_mappings.cpp — see rewrite_mappings.hpp.
//
// Why:    one file per transaction that may still be decoded; each mapping is appended to the file first and
//         logged afterwards with the offset it stands at, so that replay can cut off what a crash left
//         behind.
// Invariants: heap.M1 mappings are buffered in fixed pieces and written when a piece is full.
// Errors: ERROR with the file's name.
// WAL:    XLOG_HEAP2_REWRITE (core's; it touches no page).
// SPDX-License-Identifier: PostgreSQL
#include "heap/rewrite_mappings.hpp"

#include "mvcc/visibility.hpp"
#include "pg/pg_logical_rewrite.hpp"

namespace glassheap::heap {

struct RewriteMappings::File {
    static constexpr uint32 kPiece = 128;

    Xid xid;  // hash key
    ::File vfd;
    off_t written;
    uint32 count;
    pg::RowMapping *piece;
    char path[MAXPGPATH];
};

void RewriteMappings::begin(Relation old_table, Relation new_table, MemoryContext context) {
    wanted_ = false;
    if (!RelationIsAccessibleInLogicalDecoding(old_table)) return;
    // Without slots nothing can be decoded that is older than this rewrite; the table's lock sees to it that
    // no slot comes in between.
    ::ProcArrayGetReplicationSlotXmin(nullptr, &horizon_);
    if (!TransactionIdIsValid(horizon_)) return;

    wanted_ = true;
    old_table_ = old_table;
    new_table_ = new_table;
    context_ = context;
    begin_lsn_ = ::GetXLogInsertRecPtr();
    HASHCTL control{};
    control.keysize = sizeof(Xid);
    control.entrysize = sizeof(File);
    control.hcxt = context;
    files_ =
        ::hash_create("glassheap rewrite mapping files", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

RewriteMappings::File *RewriteMappings::file_of(Xid xid) {
    bool found;
    auto *file = static_cast<File *>(::hash_search(files_, &xid, HASH_ENTER, &found));
    if (found) return file;
    const Oid database = old_table_->rd_rel->relisshared ? InvalidOid : MyDatabaseId;
    ::pg_snprintf(file->path, sizeof file->path, "pg_logical/mappings/" LOGICAL_REWRITE_FORMAT, database,
                  RelationGetRelid(old_table_), LSN_FORMAT_ARGS(begin_lsn_), xid,
                  ::GetCurrentTransactionId());
    file->written = 0;
    file->count = 0;
    file->piece =
        static_cast<pg::RowMapping *>(::MemoryContextAlloc(context_, File::kPiece * sizeof(pg::RowMapping)));
    file->vfd = ::PathNameOpenFile(file->path, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY);
    if (file->vfd < 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not create file \"%s\": %m", file->path)));
    return file;
}

void RewriteMappings::write_out(File *file) {
    if (file->count == 0) return;
    const auto bytes = static_cast<int>(file->count * sizeof(pg::RowMapping));
    const int written = ::FileWrite(file->vfd, reinterpret_cast<char *>(file->piece), bytes, file->written,
                                    WAIT_EVENT_LOGICAL_REWRITE_WRITE);
    if (written != bytes)
        ereport(ERROR,
                (errcode_for_file_access(),
                 errmsg("could not write to file \"%s\", wrote %d of %d: %m", file->path, written, bytes)));
    pg::log_mappings({.xid = file->xid,
                      .database = old_table_->rd_rel->relisshared ? InvalidOid : MyDatabaseId,
                      .table = RelationGetRelid(old_table_),
                      .offset = file->written,
                      .begin_lsn = begin_lsn_,
                      .mappings = file->piece,
                      .count = file->count});
    file->written += bytes;
    file->count = 0;
}

void RewriteMappings::add(Xid xid, ItemPointerData old_tid, ItemPointerData new_tid) {
    File *file = file_of(xid);
    if (file->count == File::kPiece) write_out(file);
    file->piece[file->count++] =
        pg::make_mapping(pg::file_of(old_table_), old_tid, pg::file_of(new_table_), new_tid);
}

void RewriteMappings::note(ItemPointerData old_tid, HeapTuple version) {
    if (!wanted_) return;
    const auto recent = [this](Xid xid) {
        return TransactionIdIsNormal(xid) && !::TransactionIdPrecedes(xid, horizon_);
    };
    const Xid xmin = HeapTupleHeaderGetXmin(version->t_data);
    const Xid xmax = mvcc::update_xid(version->t_data);
    if (recent(xmin)) add(xmin, old_tid, version->t_self);
    if (recent(xmax) && !TransactionIdEquals(xmin, xmax)) add(xmax, old_tid, version->t_self);
}

void RewriteMappings::write_out_all() {
    HASH_SEQ_STATUS walk;
    ::hash_seq_init(&walk, files_);
    while (auto *file = static_cast<File *>(::hash_seq_search(&walk))) {
        write_out(file);
        if (::FileSync(file->vfd, WAIT_EVENT_LOGICAL_REWRITE_SYNC) != 0)
            ereport(::data_sync_elevel(ERROR),
                    (errcode_for_file_access(), errmsg("could not fsync file \"%s\": %m", file->path)));
        ::FileClose(file->vfd);
    }
}

void RewriteMappings::finish() {
    if (wanted_) write_out_all();
}

}  // namespace glassheap::heap
