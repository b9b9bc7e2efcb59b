// wal/core_wrappers.cpp — what core's own records mean for our pool, on the replay side (D4).
//
// Why:    replay of a checkpoint may become a restartpoint, so the pool must be on disk first; replay of a
//         drop, truncation or file copy touches files behind the pool's back, and so does a heap record for a
//         file of ours.  rm_redo of six managers is replaced by a function that does our part and then calls
//         the original (POOL.md 2.1).
// Invariants: our part comes first: pages are forgotten before their file goes, flushed before it is copied.
// Errors: fatal to the startup process; what a checkpoint record finds unwritable is not (restartpoint).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/hand_over.hpp"
#include "buffer/settings.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "pg/pg_recovery.hpp"
#include "wal/redo_support.hpp"
#include "wal/replay_watch.hpp"
#include "wal/restartpoint.hpp"
#include "wal/rmgr.hpp"

namespace glassheap::wal {

namespace {

using Redo = void (*)(XLogReaderState *);

std::uint8_t info_of(XLogReaderState *record) noexcept {
    return static_cast<std::uint8_t>(XLogRecGetInfo(record) & ~XLR_INFO_MASK);
}

void forget(const RelFileNode &node) {
    buffer::forget_relation({node, InvalidBackendId});
}

void forget_all(const RelFileNode *nodes, int count) {
    for (int i = 0; i < count; ++i) forget(nodes[i]);
}

// Core is about to change these pages in shared_buffers: what our pool has of them goes to the file before.
// And again afterwards, for a query may have read the old page meanwhile.
void part_with_pages(XLogReaderState *record) {
    if (!buffer::debug_tripwire) return;
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref) {
        if (!XLogRecHasBlockRef(record, ref)) continue;
        RelFileNode node;
        ForkNumber fork;
        BlockNumber block;
        ::XLogRecGetBlockTag(record, static_cast<std::uint8_t>(ref), &node, &fork, &block);
        if (fork == MAIN_FORKNUM || fork == FSM_FORKNUM) buffer::part_with_page(node, fork, block);
    }
}

// ---- RM_XLOG: a restartpoint may begin here
Redo core_xlog_redo = nullptr;

// Core changes pages of these records in shared_buffers.
void redo_by_core(Redo redo, XLogReaderState *record) {
    const bool watched = buffer::was_ever_used();  // not on servers without tables of ours
    if (watched) {
        part_with_pages(record);
        begin_record(record);
    }
    redo(record);
    if (watched) end_record();
    if (buffer::was_ever_used()) part_with_pages(record);  // a query may have read the page meanwhile
}

extern "C" void gh_xlog_redo(XLogReaderState *record) {
    const std::uint8_t info = info_of(record);
    if (info == XLOG_CHECKPOINT_ONLINE || info == XLOG_CHECKPOINT_SHUTDOWN)
        redo_checkpoint(record, core_xlog_redo);
    else if (info == XLOG_FPI || info == XLOG_FPI_FOR_HINT)
        redo_by_core(core_xlog_redo, record);
    else
        core_xlog_redo(record);
}

// ---- RM_HEAP, RM_HEAP2: a page of a heap table; or of ours, by code that bypasses the table access method
Redo core_heap_redo = nullptr;
Redo core_heap2_redo = nullptr;

extern "C" void gh_heap_redo(XLogReaderState *record) {
    redo_by_core(core_heap_redo, record);
}

extern "C" void gh_heap2_redo(XLogReaderState *record) {
    redo_by_core(core_heap2_redo, record);
}

// ---- RM_XACT: files of dropped relations go
Redo core_xact_redo = nullptr;

void before_commit(XLogReaderState *record) {
    xl_xact_parsed_commit parsed;
    ::ParseCommitRecord(XLogRecGetInfo(record), reinterpret_cast<xl_xact_commit *>(XLogRecGetData(record)),
                        &parsed);
    forget_all(parsed.xnodes, parsed.nrels);
}

void before_abort(XLogReaderState *record) {
    xl_xact_parsed_abort parsed;
    ::ParseAbortRecord(XLogRecGetInfo(record), reinterpret_cast<xl_xact_abort *>(XLogRecGetData(record)),
                       &parsed);
    forget_all(parsed.xnodes, parsed.nrels);
}

// COMMIT PREPARED and ROLLBACK PREPARED have no callback on a primary: as there (storage/lifecycle), let
// nothing stay in the pool that they might unlink.  The transaction's exclusive locks keep it that way.
void before_prepare(XLogReaderState *record) {
    xl_xact_parsed_prepare parsed;
    ::ParsePrepareRecord(XLogRecGetInfo(record), reinterpret_cast<xl_xact_prepare *>(XLogRecGetData(record)),
                         &parsed);
    const auto part = [](const RelFileNode *nodes, int count) {
        for (int i = 0; i < count; ++i) buffer::part_with_relation({nodes[i], InvalidBackendId});
    };
    part(parsed.xnodes, parsed.nrels);
    part(parsed.abortnodes, parsed.nabortrels);
}

extern "C" void gh_xact_redo(XLogReaderState *record) {
    switch (XLogRecGetInfo(record) & XLOG_XACT_OPMASK) {
        case XLOG_XACT_COMMIT:
        case XLOG_XACT_COMMIT_PREPARED:
            before_commit(record);
            break;
        case XLOG_XACT_ABORT:
        case XLOG_XACT_ABORT_PREPARED:
            before_abort(record);
            break;
        case XLOG_XACT_PREPARE:
            before_prepare(record);
            break;
        default:
            break;
    }
    core_xact_redo(record);
}

// ---- RM_SMGR: files are born and cut
Redo core_smgr_redo = nullptr;

void before_smgr(XLogReaderState *record) {
    const std::uint8_t info = info_of(record);
    if (info == XLOG_SMGR_CREATE) {
        const auto *created = reinterpret_cast<const xl_smgr_create *>(XLogRecGetData(record));
        // A reused relfilenode: whatever the pool holds under this number is of a dead relation.  But when
        // replay passes here a second time, the file may be the living one, whose pages are simply read again
        // (they are on disk, or will be restored by the records that follow).
        if (created->forkNum == MAIN_FORKNUM)
            buffer::forget_from({created->rnode, InvalidBackendId}, InvalidForkNumber, 0);
    } else if (info == XLOG_SMGR_TRUNCATE) {
        const auto *cut = reinterpret_cast<const xl_smgr_truncate *>(XLogRecGetData(record));
        if ((cut->flags & SMGR_TRUNCATE_HEAP) == 0) return;
        buffer::forget_from({cut->rnode, InvalidBackendId}, MAIN_FORKNUM, cut->blkno);
    }
}

extern "C" void gh_smgr_redo(XLogReaderState *record) {
    before_smgr(record);
    core_smgr_redo(record);
}

// ---- RM_DBASE: whole directories are copied and removed
Redo core_dbase_redo = nullptr;

void before_database_drop(const xl_dbase_drop_rec *dropped) {
    for (int i = 0; i < dropped->ntablespaces; ++i) {
        buffer::forget_database(dropped->db_id, dropped->tablespace_ids[i]);
        buffer::unmark_database(dropped->db_id, dropped->tablespace_ids[i]);
    }
}

void before_dbase(XLogReaderState *record) {
    const std::uint8_t info = info_of(record);
    if (info == XLOG_DBASE_CREATE_FILE_COPY) {
        const auto *copy = reinterpret_cast<const xl_dbase_create_file_copy_rec *>(XLogRecGetData(record));
        buffer::flush_database(copy->src_db_id);
        // The copy replaces the directory: nothing cached of it may survive (ALTER DATABASE SET TABLESPACE).
        buffer::forget_database(copy->db_id, copy->tablespace_id);
    } else if (info == XLOG_DBASE_DROP) {
        before_database_drop(reinterpret_cast<const xl_dbase_drop_rec *>(XLogRecGetData(record)));
    }
}

extern "C" void gh_dbase_redo(XLogReaderState *record) {
    before_dbase(record);
    core_dbase_redo(record);
}

void wrap(RmgrId id, Redo ours, Redo *original) {
    *original = RmgrTable[id].rm_redo;
    RmgrTable[id].rm_redo = ours;
}

}  // namespace

void wrap_core_redo() {
    wrap(RM_XLOG_ID, gh_xlog_redo, &core_xlog_redo);
    wrap(RM_HEAP_ID, gh_heap_redo, &core_heap_redo);
    wrap(RM_HEAP2_ID, gh_heap2_redo, &core_heap2_redo);
    wrap(RM_XACT_ID, gh_xact_redo, &core_xact_redo);
    wrap(RM_SMGR_ID, gh_smgr_redo, &core_smgr_redo);
    wrap(RM_DBASE_ID, gh_dbase_redo, &core_dbase_redo);
}

}  // namespace glassheap::wal
