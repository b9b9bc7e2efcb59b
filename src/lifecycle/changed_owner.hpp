// lifecycle/changed_owner.hpp — files that the catalog gives from one table access method to another.
//
// Why:    pg_repack swaps relfilenodes and leaves relam; a superuser may update pg_class.  The new owner
//         looks into another pool, so what the old one's has of the file must be on disk, and gone,
//         before. From us to another: pages are written and leave the pool.  From another to us: our
//         misses take over page by page (buffer/core_copies.hpp); if the transaction aborts, they go
//         back as above.
// When:   before the next command of the same transaction, and before it commits or is prepared.
//         Transactions that change no row of pg_class pay one look at an empty list.
// Locking: takes ACCESS EXCLUSIVE on the relation if it can be had at once; else the transaction fails.
// Errors: checks may longjmp and make the transaction fail.  At abort a failed write is a PANIC.
// WAL:    file_event, so that standbys do the same.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::lifecycle {

// TRUNCATE gives new files to tables of other access methods without telling.  Looked at when it ends, in the
// subtransaction that made them: a number that was given out meanwhile is a new file's, and the command wrote
// the row if it is this transaction's.
struct TruncateMark {
    Oid next_number;
    Cid command;
    std::uint64_t commands;
};
TruncateMark before_truncate() noexcept;
void owners_truncated(const TruncateMark &mark);

void install_owner_watch(const TableAmRoutine *ours);  // am/ is above us
void owner_is_dropped(Oid relid) noexcept;             // OAT_DROP
void owner_is_created(Oid relid);                      // OAT_POST_CREATE
void check_owners_now();                               // before a command
void check_owners_before_end();                        // PRE_COMMIT
void owners_before_prepare();                          // PRE_PREPARE
void owners_at_commit() noexcept;                      // and when it is prepared
void owners_at_subcommit(int nest_level) noexcept;
void owners_at_subabort(int nest_level) noexcept;
void owners_at_abort() noexcept;

}  // namespace glassheap::lifecycle
