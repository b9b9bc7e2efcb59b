// heap/prune.hpp — removing dead versions of one page, and collapsing HOT chains.
//
// Locking: prune_on_access takes the cleanup latch if it can have it at once; prune_page wants it held.
// Errors: may longjmp before its critical section.
// WAL:    RecordType::prune (with freeze plans and VM bits in the same record).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "mvcc/freeze.hpp"
#include "page/slot_list.hpp"
#include "pg/pg_old_snapshot.hpp"

namespace glassheap::heap {

// Called by scans and index fetches with a pin and no latch: prunes when the page's hint says that it pays.
void prune_on_access(Relation rel, const buffer::PinnedPage &page);

struct PruneRequest {
    GlobalVisState *vistest;  // a version is removable if this says so (nullptr: not asked) ...
    Xid oldest_xmin;          // ... or its deleter is older than vacuum's fixed horizon (may be Invalid)
    pg::OldSnapshotLimit old_snapshot;  // ... or this, if it was asked for already
    const mvcc::FreezeCutoffs *freeze;  // nullptr: do not freeze
    Buffer vmbuf;          // pinned VM page covering the block, or InvalidBuffer: leave the VM alone
    bool mark_unused_now;  // table without indexes: dead items become unused at once
    SlotNo *slot_in_work = nullptr;  // kept up to date for the caller's error context
};
struct PruneOutcome {
    int removed;  // tuples whose storage was reclaimed
    int live;     // tuples that count as live for reltuples
    int recently_dead;
    int dead_reclaimed;         // dead items, old and new, that became unused at once (mark_unused_now)
    page::SlotList dead_slots;  // dead line pointers on the page after pruning
    int frozen;                 // tuples frozen
    bool has_storage_items;     // some line pointer still has storage or redirects (page cannot be truncated
                                // away)
    bool all_visible;           // as far as this pass can tell, ignoring dead_slots
    bool all_frozen;
    Xid visibility_cutoff_xid;
    Xid new_relfrozenxid;  // oldest ids left on the page (in/out with the caller's running minimum)
    MultiXactId new_relminmxid;
    bool vm_set;  // VM bits were set here (vm_bits)
    std::uint8_t vm_bits;
};
// Prunes, and freezes and sets VM bits if asked to; one critical section, one record, nothing written when
// nothing changes.  Sets *page's full/prune hints.
void prune_page(Relation rel, const buffer::PinnedPage &page, const PruneRequest &request, PruneOutcome *out);

}  // namespace glassheap::heap
