// lifecycle/truncate.cpp — cutting a relation's files, so that crash, standby and checkpoint all agree.
//
// Why:    core's RelationTruncate works on the FSM through shared_buffers; ours is in the pool.  So: the same
//         protocol with our own parts, and core's record for main and VM forks, which standbys, pg_rewind and
//         incremental backup understand.
// Locking: the caller holds AccessExclusiveLock on the relation: nobody has a pin on a page that goes.
// Errors: may longjmp before the critical section; in it, any failure is a PANIC, and replay tries again.
// WAL:    fsm_truncate, then core's XLOG_SMGR_TRUNCATE for HEAP and VM, both flushed before files shrink.
// See:    doc/design/files.md#truncation; PG: catalog/storage.c (why both DELAY_CHKPT flags).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "debug/stop_points.hpp"
#include "fsm/free_space_map.hpp"
#include "lifecycle/lifecycle.hpp"
#include "pg/pg_core_records.hpp"
#include "pg/pg_process.hpp"
#include "pg/pg_smgr.hpp"
#include "wal/emit.hpp"

namespace glassheap::lifecycle {

namespace {

struct Cut {
    ForkNumber forks[3];
    BlockNo old_blocks[3];
    BlockNo blocks[3];
    int count = 0;
    bool fsm = false;

    void add(SMgrRelation files, ForkNumber fork, BlockNo keep) {
        forks[count] = fork;
        old_blocks[count] = ::smgrnblocks(files, fork);
        blocks[count] = keep;
        ++count;
    }
};

// Clears the tails of the maps' last kept pages; changes no file yet.
Cut prepare(Relation rel, BlockNo blocks) {
    SMgrRelation files = RelationGetSmgr(rel);
    pg::forget_cached_sizes(files);

    Cut cut;
    cut.add(files, MAIN_FORKNUM, blocks);
    if (::smgrexists(RelationGetSmgr(rel), FSM_FORKNUM)) {
        const BlockNo keep = fsm::prepare_truncate(rel, blocks);
        cut.fsm = true;
        if (keep != kInvalidBlock) cut.add(RelationGetSmgr(rel), FSM_FORKNUM, keep);
    }
    if (::smgrexists(RelationGetSmgr(rel), VISIBILITYMAP_FORKNUM)) {
        const BlockNo keep = pg::prepare_vm_truncate(rel, blocks);
        if (BlockNumberIsValid(keep)) cut.add(RelationGetSmgr(rel), VISIBILITYMAP_FORKNUM, keep);
    }
    return cut;
}

// Flushed at once: the files must not be shorter than the WAL knows.
void log_cut(Relation rel, BlockNo blocks, bool fsm) {
    if (fsm) wal::emit_fsm_truncate(pg::file_of(rel), blocks);
    ::XLogFlush(pg::log_truncation(pg::file_of(rel), blocks, SMGR_TRUNCATE_HEAP | SMGR_TRUNCATE_VM));
}

// Pages must not be forgotten by a checkpoint that counts on them being written (COMPLETE), and the sync
// request of the shorter file must be part of the checkpoint that passes the record (START).
constexpr pg::Delay kHoldCheckpoint = pg::Delay::start_and_complete;

void apply(Relation rel, BlockNo blocks, Cut *cut) {
    SMgrRelation files = RelationGetSmgr(rel);
    const pg::OwnedFile owned = pg::owned_file_of(files);
    GH_ASSERT(!pg::delays_checkpoints(kHoldCheckpoint));
    pg::delay_checkpoints(kHoldCheckpoint);
    START_CRIT_SECTION();
    GH_CRASH_POINT("lifecycle.truncate_before_wal");
    if (RelationNeedsWAL(rel)) log_cut(rel, blocks, cut->fsm);
    GH_CRASH_POINT("lifecycle.truncate_between_wal_and_files");
    for (int i = 0; i < cut->count; ++i)
        if (cut->forks[i] != VISIBILITYMAP_FORKNUM) buffer::forget_from(owned, cut->forks[i], cut->blocks[i]);
    pg::truncate_forks(files, cut->forks, cut->count, cut->old_blocks, cut->blocks);
    END_CRIT_SECTION();
    pg::stop_delaying_checkpoints(kHoldCheckpoint);
}

}  // namespace

void truncate_tail(Relation rel, BlockNo blocks) {
    Cut cut = prepare(rel, blocks);
    ::RelationPreTruncate(rel);
    apply(rel, blocks, &cut);
    // The pages that went were the emptiest; the upper levels must stop praising them.
    if (cut.fsm) fsm::update_upper(rel, blocks, kInvalidBlock);
}

void truncate_in_place(Relation rel) {
    truncate_tail(rel, 0);
}

}  // namespace glassheap::lifecycle
