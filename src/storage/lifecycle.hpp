// storage/lifecycle.hpp — birth, move and death of relation files, seen from the pool (D5, POOL.md 3).
// Errors: transaction callbacks never longjmp at commit; the rest may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::storage {

void install_callbacks();  // transaction callbacks, ProcessUtility and object access hooks

// Table AM: relation_set_new_filenode, relation_nontransactional_truncate, relation_copy_data.
void create_files(Relation rel, const RelFileNode *newrnode, char persistence, TransactionId *freeze_xid,
                  MultiXactId *minmulti);
void truncate_in_place(Relation rel);
void copy_files(Relation rel, const RelFileNode *newrnode);
// Shortens main, FSM and VM forks to `blocks` (vacuum; the caller holds AccessExclusiveLock).
void truncate_tail(Relation rel, BlockNo blocks);

}  // namespace glassheap::storage
