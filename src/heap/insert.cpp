// heap/insert.cpp — one new row.
//
// Locking: the page latch from choosing the page until the row is logged.
// Errors: may longjmp before the critical section.
// WAL:    RecordType::insert; rows of a run when its page is stored (insert_run.hpp).
// See:    heap/README.md.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/insert_run.hpp"
#include "heap/new_cid.hpp"
#include "heap/new_row.hpp"
#include "heap/placement.hpp"
#include "heap/row_access.hpp"
#include "heap/rows.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {
namespace {

// The change itself: page, map and log.
void apply_insert(Relation rel, const buffer::PinnedPage &page, HeapTuple stored, int options, Buffer vmbuf) {
    const Buffer cleared = page.view().all_visible() ? vmbuf : InvalidBuffer;
    vm::VmLock vm_lock(cleared);
    buffer::PageChange change;
    change.add(page);
    put_row(page.edit(), page.block(), stored, (options & HEAP_INSERT_SPECULATIVE) != 0);
    if (cleared != InvalidBuffer) clear_all_visible(page, vmbuf);
    if (RelationNeedsWAL(rel)) {
        log_command_ids(rel, *stored);
        const SlotNo slot = ItemPointerGetOffsetNumberNoCheck(&stored->t_self);
        const bool only_row = slot == kFirstSlot && page.view().max_slot() == kFirstSlot;
        wal::emit_insert({.rel = rel,
                          .page = &page,
                          .tuple = stored,
                          .slot = slot,
                          .init_page = only_row,
                          .cleared_vm = cleared,
                          .options = options});
    }
    change.finish();
}

// On a page chosen for it: logged by itself, or the first of a run.
void insert_alone(Relation rel, HeapTuple stored, int options, BulkInsertState bistate, InsertRun *run) {
    Buffer vmbuf = InvalidBuffer;
    {
        buffer::PinnedPage page = choose_page({.rel = rel,
                                               .length = stored->t_len,
                                               .options = options,
                                               .bulk = bistate != nullptr,
                                               .vmbuf = &vmbuf});
        // A new row conflicts with locks on the whole table only: existing row and page locks cannot be about
        // it.  Under the latch, so that no reader comes between the check and the row.
        ::CheckForSerializableConflictIn(rel, nullptr, kInvalidBlock);
        if (run == nullptr || !begin_run(run, rel, page, stored, bistate != nullptr)) {
            apply_insert(rel, page, stored, options, vmbuf);
            page.unlatch();
        }
    }
    release_vm_pin(vmbuf);
    ::CacheInvalidateHeapTuple(rel, stored, nullptr);  // catalogs have no runs
}

}  // namespace

void insert(Relation rel, HeapTuple tuple, Cid cid, int options, BulkInsertState bistate) {
    const Xid xid = ::GetCurrentTransactionId();
    HeapTuple stored = prepare_row(rel, tuple, xid, cid, options);
    InsertRun *run;
    if (!put_into_run(rel, stored, {.file = pg::file_of(rel), .xid = xid, .cid = cid, .options = options},
                      &run))
        insert_alone(rel, stored, options, bistate, run);

    ::pgstat_count_heap_insert(rel, 1);  // a speculative row counts even if it is taken back
    if (stored != tuple) {
        tuple->t_self = stored->t_self;
        ::heap_freetuple(stored);
    }
}

}  // namespace glassheap::heap
