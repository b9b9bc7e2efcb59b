// pg/pg_core_records.hpp — WAL records of PostgreSQL's own managers that our pool listens to, or writes, in
// our terms.
//
// Versions: the structs of xact and smgr records name their files differently in 16 (xlocators, rlocator).
// Errors: parsing never longjmps; writing may (memory), and PANICs in a critical section.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

#include <span>

extern "C" {
#include "commands/dbcommands_xlog.h"
}

namespace glassheap::pg {

inline std::uint8_t info_of(XLogReaderState *record) noexcept {
    return static_cast<std::uint8_t>(XLogRecGetInfo(record) & ~XLR_INFO_MASK);
}

// ---- RM_XACT
enum class TransactionEnd : std::uint8_t { other, commit, abort, prepare };

inline TransactionEnd transaction_end_of(XLogReaderState *record) noexcept {
    switch (XLogRecGetInfo(record) & XLOG_XACT_OPMASK) {
        case XLOG_XACT_COMMIT:
        case XLOG_XACT_COMMIT_PREPARED:
            return TransactionEnd::commit;
        case XLOG_XACT_ABORT:
        case XLOG_XACT_ABORT_PREPARED:
            return TransactionEnd::abort;
        case XLOG_XACT_PREPARE:
            return TransactionEnd::prepare;
        default:
            return TransactionEnd::other;
    }
}
// The files that go with this commit or abort, and for a prepare, those that either end would take.
template <typename Visit>
void for_each_file_that_goes(XLogReaderState *record, Visit visit) {
    const auto visit_all = [&visit](const RelFile *files, int count) {
        for (int i = 0; i < count; ++i) visit(files[i]);
    };
    const std::uint8_t info = XLogRecGetInfo(record);
    char *data = XLogRecGetData(record);
    switch (transaction_end_of(record)) {
        case TransactionEnd::commit: {
            xl_xact_parsed_commit parsed;
            ::ParseCommitRecord(info, reinterpret_cast<xl_xact_commit *>(data), &parsed);
            visit_all(parsed.xnodes, parsed.nrels);
            break;
        }
        case TransactionEnd::abort: {
            xl_xact_parsed_abort parsed;
            ::ParseAbortRecord(info, reinterpret_cast<xl_xact_abort *>(data), &parsed);
            visit_all(parsed.xnodes, parsed.nrels);
            break;
        }
        case TransactionEnd::prepare: {
            xl_xact_parsed_prepare parsed;
            ::ParsePrepareRecord(info, reinterpret_cast<xl_xact_prepare *>(data), &parsed);
            visit_all(parsed.xnodes, parsed.nrels);
            visit_all(parsed.abortnodes, parsed.nabortrels);
            break;
        }
        case TransactionEnd::other:
            break;
    }
}

// ---- RM_SMGR
struct FileChange {
    enum Kind : std::uint8_t { other, created, truncated } kind;
    RelFile file;
    ForkNumber fork;     // created: this one.  truncated: the main fork
    BlockNumber blocks;  // truncated: what is left
};
// A truncation that leaves the main fork alone is none.
inline FileChange file_change_of(XLogReaderState *record) noexcept {
    const std::uint8_t info = info_of(record);
    if (info == XLOG_SMGR_CREATE) {
        const auto *created = reinterpret_cast<const xl_smgr_create *>(XLogRecGetData(record));
        return {.kind = FileChange::created, .file = created->rnode, .fork = created->forkNum, .blocks = 0};
    }
    if (info == XLOG_SMGR_TRUNCATE) {
        const auto *cut = reinterpret_cast<const xl_smgr_truncate *>(XLogRecGetData(record));
        if ((cut->flags & SMGR_TRUNCATE_HEAP) != 0)
            return {.kind = FileChange::truncated,
                    .file = cut->rnode,
                    .fork = MAIN_FORKNUM,
                    .blocks = cut->blkno};
    }
    return {};
}
// flags: SMGR_TRUNCATE_*.
inline XLogRecPtr log_truncation(const RelFile &file, BlockNumber blocks, int flags) {
    xl_smgr_truncate record = {};
    record.blkno = blocks;
    record.rnode = file;
    record.flags = flags;
    ::XLogBeginInsert();
    ::XLogRegisterData(reinterpret_cast<char *>(&record), sizeof record);
    return ::XLogInsert(RM_SMGR_ID, XLOG_SMGR_TRUNCATE | XLR_SPECIAL_REL_UPDATE);
}

// ---- RM_DBASE
struct DatabaseCopy {  // of files; nothing of it was in WAL
    Oid source;
    Oid target;
    Oid tablespace;  // the target's
};
inline bool is_database_copy(XLogReaderState *record, DatabaseCopy *copy) noexcept {
    if (info_of(record) != XLOG_DBASE_CREATE_FILE_COPY) return false;
    const auto *data = reinterpret_cast<const xl_dbase_create_file_copy_rec *>(XLogRecGetData(record));
    *copy = {data->src_db_id, data->db_id, data->tablespace_id};
    return true;
}
// Directories of a database go: by DROP DATABASE, or the old one by ALTER DATABASE SET TABLESPACE.
struct DatabaseDrop {
    Oid database;
    std::span<const Oid> tablespaces;
};
inline bool is_database_drop(XLogReaderState *record, DatabaseDrop *drop) noexcept {
    if (info_of(record) != XLOG_DBASE_DROP) return false;
    const auto *data = reinterpret_cast<const xl_dbase_drop_rec *>(XLogRecGetData(record));
    *drop = {data->db_id, {data->tablespace_ids, static_cast<std::size_t>(data->ntablespaces)}};
    return true;
}

}  // namespace glassheap::pg
