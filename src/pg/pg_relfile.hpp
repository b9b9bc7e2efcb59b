// pg/pg_relfile.hpp — which file on disk: tablespace, database, number; and whose, for temporary tables.
//
// Versions: 16 renamed the type and its fields (RelFileLocator: spcOid, dbOid, relNumber) and what carries it
//         (rd_locator, smgr_rlocator, RelFileLocatorSkippingWAL, RelidByRelfilenumber); 17 has ProcNumber for
//         BackendId and ProcNumberForTempRelations(); 18 returns paths by value (RelPathStr).
// Errors: none, except where a function of PostgreSQL's that may longjmp is named.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "common/relpath.h"
#include "utils/relfilenodemap.h"
}

namespace glassheap::pg {

using RelFile = RelFileNode;
using BackendNo = BackendId;  // whose temporary table; kNoBackend: everybody's
inline constexpr BackendNo kNoBackend = InvalidBackendId;

inline RelFile make_file(Oid tablespace, Oid database, Oid number) noexcept {
    return {tablespace, database, number};
}
inline Oid tablespace_of(const RelFile &file) noexcept {
    return file.spcNode;
}
inline Oid database_of(const RelFile &file) noexcept {
    return file.dbNode;
}
inline Oid number_of(const RelFile &file) noexcept {
    return file.relNode;
}
inline bool is_same_file(const RelFile &a, const RelFile &b) noexcept {
    return RelFileNodeEquals(a, b);
}

// ---- with the owner
struct OwnedFile {
    RelFile file;
    BackendNo backend;

    bool is_temp() const noexcept { return backend != kNoBackend; }
};
inline OwnedFile shared_file(const RelFile &file) noexcept {
    return {file, kNoBackend};
}

// ---- where PostgreSQL keeps it
inline RelFile &file_of(Relation rel) noexcept {
    return rel->rd_node;
}
inline const RelFile &file_of(SMgrRelation files) noexcept {
    return files->smgr_rnode.node;
}
inline OwnedFile owned_file_of(Relation rel) noexcept {
    return {rel->rd_node, rel->rd_backend};
}
inline OwnedFile owned_file_of(SMgrRelation files) noexcept {
    return {files->smgr_rnode.node, files->smgr_rnode.backend};
}
inline bool is_temp(Relation rel) noexcept {
    return rel->rd_backend != kNoBackend;
}
inline const RelFile &file_of_block_ref(XLogReaderState *record, std::uint8_t ref) noexcept {
    return XLogRecGetBlock(record, ref)->rnode;
}
// The backend whose temporary tables this session uses; of a parallel worker, its leader.
inline BackendNo my_temp_backend() noexcept {
    return BackendIdForTempRelations();
}

// ---- what PostgreSQL knows of it
inline bool skips_wal(const RelFile &file) {
    return ::RelFileNodeSkippingWAL(file);
}
// palloc'd
inline char *path_of(const RelFile &file, BackendNo backend, ForkNumber fork) {
    return ::GetRelationPath(file.dbNode, file.spcNode, file.relNode, backend, fork);
}
// InvalidOid: no relation of this database has it.
inline Oid relation_of_file(Oid tablespace, Oid number) {
    return ::RelidByRelfilenode(tablespace, number);
}

}  // namespace glassheap::pg
