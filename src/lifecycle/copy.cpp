// lifecycle/copy.cpp — ALTER TABLE .. SET TABLESPACE: a relation's files, copied block by block.
//
// Why:    core's RelationCopyStorage logs pages with a record that a standby replays into shared_buffers:
//         good for the VM and init forks, which live there, not for main and FSM.
// Locking: the caller holds AccessExclusiveLock on the relation.
// Errors: may longjmp; the new files then go with the transaction.
// WAL:    new_pages for main and FSM; core's FPI for VM and init.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/two_pools.hpp"
#include "lifecycle/lifecycle.hpp"
#include "pg/pg_smgr.hpp"
#include "wal/emit.hpp"

namespace glassheap::lifecycle {

namespace {

constexpr int kBatch = 16;

class ForkCopy {
public:
    ForkCopy(SMgrRelation from, SMgrRelation to, ForkNumber fork, bool logged)
        : from_(from), to_(to), fork_(fork), logged_(logged) {
        space_ = static_cast<char *>(::palloc(static_cast<Size>(kBatch) * BLCKSZ));
        for (int i = 0; i < kBatch; ++i) pages_[i] = space_ + static_cast<std::size_t>(i) * BLCKSZ;
    }

    void run() {
        const BlockNo end = ::smgrnblocks(from_, fork_);
        for (BlockNo first = 0; first < end; first += kBatch) {
            CHECK_FOR_INTERRUPTS();
            const int count = static_cast<int>(std::min<BlockNo>(kBatch, end - first));
            for (int i = 0; i < count; ++i) read(first + static_cast<BlockNo>(i), i);
            if (logged_) wal::log_new_pages(pg::file_of(to_), fork_, blocks_, pages_, count);
            for (int i = 0; i < count; ++i) write(i);
        }
        // The pages went past every pool: a checkpoint since their records would not have synced them.
        if (logged_) ::smgrimmedsync(to_, fork_);
        ::pfree(space_);
    }

private:
    void read(BlockNo block, int i) {
        blocks_[i] = block;
        ::smgrread(from_, fork_, block, pages_[i]);
        if (pg::is_page_verified(pages_[i], block, pg::PageReport::log_and_count)) return;
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("invalid page in block %u of relation %s", block,
                               pg::path_of(pg::file_of(from_), pg::owned_file_of(from_).backend, fork_))));
    }
    void write(int i) {
        ::PageSetChecksumInplace(pages_[i], blocks_[i]);
        ::smgrextend(to_, fork_, blocks_[i], pages_[i], true);
    }

    SMgrRelation from_;
    SMgrRelation to_;
    ForkNumber fork_;
    bool logged_;
    char *space_;
    char *pages_[kBatch];
    BlockNo blocks_[kBatch];
};

void create_fork(Relation rel, SMgrRelation to, ForkNumber fork) {
    ::smgrcreate(to, fork, false);
    const bool permanent = rel->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT;
    const bool unlogged = rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED;
    if (permanent || (unlogged && fork == INIT_FORKNUM)) ::log_smgrcreate(&pg::file_of(to), fork);
}

void copy_fork(Relation rel, SMgrRelation to, ForkNumber fork) {
    const char persistence = rel->rd_rel->relpersistence;
    if (fork == MAIN_FORKNUM || fork == FSM_FORKNUM)
        ForkCopy(RelationGetSmgr(rel), to, fork, XLogIsNeeded() && persistence == RELPERSISTENCE_PERMANENT)
            .run();
    else
        ::RelationCopyStorage(RelationGetSmgr(rel), to, fork, persistence);
}

}  // namespace

void copy_files(Relation rel, const pg::RelFile *new_file) {
    ::FlushRelationBuffers(rel);  // the VM; and what core has of a file that was heap's before
    buffer::flush_relation(pg::owned_file_of(rel));
    buffer::refuse_if_in_two_pools(rel);
    ::RelationCreateStorage(*new_file, rel->rd_rel->relpersistence, true);
    SMgrRelation to = ::smgropen(*new_file, rel->rd_backend);
    note_new_files(rel, to);

    copy_fork(rel, to, MAIN_FORKNUM);
    for (const ForkNumber fork : {FSM_FORKNUM, VISIBILITYMAP_FORKNUM, INIT_FORKNUM}) {
        if (!::smgrexists(RelationGetSmgr(rel), fork)) continue;
        create_fork(rel, to, fork);
        copy_fork(rel, to, fork);
    }
    ::RelationDropStorage(rel);
    ::smgrclose(to);
}

}  // namespace glassheap::lifecycle
