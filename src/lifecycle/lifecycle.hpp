// lifecycle/lifecycle.hpp — birth, move and death of relation files, seen from the pool (design.D5).
//
// Why:    core creates, copies and unlinks files without knowing our pool: pages of a file that goes must be
//         forgotten before it goes (a late write would resurrect its sync request and PANIC the
//         checkpointer), and a number that is used again must not meet pages of its former owner.
// Invariants: files.L1 no frame of a file survives the moment core unlinks it.
//         files.L2 a new file starts with no frame (forget at create): closes COMMIT/ROLLBACK PREPARED, which
//            has no callback, and every other reuse of a relfilenode.
//         files.L3 wal_level = minimal: whatever core will fsync instead of logging has left the pool by
//         then.
// Errors: transaction callbacks never longjmp at commit; the rest may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::lifecycle {

void install_callbacks();  // transaction callbacks

// Table AM: relation_set_new_filenode, relation_nontransactional_truncate, relation_copy_data.
void create_files(Relation rel, const pg::RelFile *new_file, char persistence, Xid *freeze_xid,
                  MultiXactId *minmulti);
void truncate_in_place(Relation rel);
void copy_files(Relation rel, const pg::RelFile *new_file);
// Shortens main, FSM and VM forks to `blocks` (vacuum; the caller holds AccessExclusiveLock).
void truncate_tail(Relation rel, BlockNo blocks);

// Files of temporary tables are missing in core's list of pending deletes, so we keep our own.
void note_temp_drop(const pg::OwnedFile &owned);        // goes if this (sub)transaction commits
void note_new_files(Relation rel, SMgrRelation files);  // goes if it aborts; applies files.L2 and files.L3
// files.L3, of a file that another access method made, at whatever level of this transaction; not if it is
// older.
void sync_arrived_at_commit(const pg::RelFile &file);

}  // namespace glassheap::lifecycle
