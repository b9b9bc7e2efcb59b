// mvcc/visibility.hpp — is this version of a row visible, updatable, dead?
//
// Why:    PostgreSQL's HeapTupleSatisfies* take its own buffers for hint bits; these take our pages.
//         The rules themselves are pure (mvcc/visibility_rules.hpp) and unit-tested as a truth table.
// Locking: the caller holds at least a share latch on the page (or has a private copy of the tuple and
//         passes no page).
// Errors: may longjmp (subtransaction and multixact look-ups).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::mvcc {

// `page` may be nullptr: then hint bits are not set.
// Any snapshot type (MVCC, SELF, ANY, TOAST, DIRTY, HISTORIC_MVCC, NON_VACUUMABLE).
bool satisfies(HeapTuple tuple, Snapshot snapshot, const buffer::PinnedPage *page);
TM_Result satisfies_update(HeapTuple tuple, Cid curcid, const buffer::PinnedPage *page);
HTSV_Result satisfies_vacuum(HeapTuple tuple, Xid oldest_xmin, const buffer::PinnedPage *page);
HTSV_Result satisfies_vacuum_horizon(HeapTuple tuple, const buffer::PinnedPage *page, Xid *dead_after);
// Hint: dead to everybody, judged by hint bits alone (index kill_prior_tuple).
bool is_surely_dead(HeapTuple tuple, GlobalVisState *vistest);
bool is_only_locked(HeapTupleHeader tuple);
// Did it end without a commit?  TransactionIdDidAbort does not know of those that a crash ended.
bool has_failed(Xid xid);
// The tuple's xmax as an updater's xid, looking through a multixact; Invalid when only locked.
Xid update_xid(HeapTupleHeader tuple);

// SSI: report a read of `tuple` (visible or not) to conflict detection, exactly where heap does.
void check_serializable_read(bool visible, Relation rel, HeapTuple tuple, const buffer::PinnedPage *page,
                             Snapshot snapshot);
// Moves *latest_removed_xid forward for a tuple about to be removed (snapshot conflicts on a standby).
void advance_latest_removed_xid(HeapTupleHeader tuple, Xid *latest_removed_xid);

// Sets hint bits under a share latch; commit hints only when the commit record is flushed (or the page's
// LSN covers it), as in heap.
void set_hint_bits(HeapTupleHeader tuple, const buffer::PinnedPage *page, std::uint16_t bits, Xid xid);
// May the hint that `xid` committed be set on this page now?  (set_hint_bits asks by itself.)
bool may_hint_commit(const buffer::PinnedPage &page, Xid xid);
// Flushes the asynchronous commits among the newest xids before `horizon`, so that their hints may be set and
// VACUUM can call their rows visible to all.  None before `relfrozenxid`, of a table that the caller alone
// vacuums: pg_xact may have forgotten them.  Call without latches.
void flush_newest_commits(Xid relfrozenxid, Xid horizon);

}  // namespace glassheap::mvcc
