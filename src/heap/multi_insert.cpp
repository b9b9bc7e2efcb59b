// heap/multi_insert.cpp — many new rows (COPY, CREATE TABLE AS): page after page, one record per page.
//
// Locking: one page latch at a time.
// Errors: may longjmp before each page's critical section; answers interrupts between pages.
// WAL:    RecordType::multi_insert; with FREEZE it sets the map's bits as well.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/apply_rows.hpp"
#include "heap/insert_run.hpp"
#include "heap/new_cid.hpp"
#include "heap/new_row.hpp"
#include "heap/placement.hpp"
#include "heap/rows.hpp"

namespace glassheap::heap {
namespace {

// Command-wide state; rows[0, total) are prepared, rows[0, done) are stored.
struct Batch {
    Relation rel;
    HeapTuple *rows;
    int total;
    int done = 0;
    int options;
    bool bulk;
    bool needs_wal;
    Size reserved;  // fillfactor
    Buffer vmbuf = InvalidBuffer;
    char *scratch;  // for the record, kPageSize bytes
};

HeapTuple *prepare_rows(Relation rel, TupleTableSlot **slots, int count, Cid cid, int options) {
    const Xid xid = ::GetCurrentTransactionId();
    auto **rows = static_cast<HeapTuple *>(::palloc(static_cast<Size>(count) * sizeof(HeapTuple)));
    for (int i = 0; i < count; ++i) {
        HeapTuple tuple = ::ExecFetchSlotHeapTuple(slots[i], true, nullptr);
        slots[i]->tts_tableOid = RelationGetRelid(rel);
        tuple->t_tableOid = slots[i]->tts_tableOid;
        rows[i] = prepare_row(rel, tuple, xid, cid, options);
    }
    return rows;
}

// Puts rows on the page as long as they fit; the first is known to.
page::SlotList fill_page(const Batch &batch, const buffer::PinnedPage &page) noexcept {
    page::SlotList slots;
    for (int i = batch.done; i < batch.total; ++i) {
        HeapTuple row = batch.rows[i];
        if (!slots.empty() && page.view().free_space_for_tuple() < MAXALIGN(row->t_len) + batch.reserved)
            break;
        put_row(page.edit(), page.block(), row, false);
        slots.push_back(ItemPointerGetOffsetNumberNoCheck(&row->t_self));
        if (batch.needs_wal) log_command_ids(batch.rel, *row);
    }
    return slots;
}

void store_page(Batch *batch) {
    buffer::PinnedPage page = choose_page({.rel = batch->rel,
                                           .length = batch->rows[batch->done]->t_len,
                                           .options = batch->options,
                                           .bulk = batch->bulk,
                                           .vmbuf = &batch->vmbuf});
    const int count = apply_rows(
        {.rel = batch->rel,
         .page = page,
         .options = batch->options,
         .vmbuf = batch->vmbuf,
         .scratch = batch->scratch},
        [&] { return fill_page(*batch, page); },
        [&](int stored) { return batch->done + stored == batch->total; });
    page.unlatch();
    batch->done += count;
}

}  // namespace

void multi_insert(Relation rel, TupleTableSlot **slots, int count, Cid cid, int options,
                  BulkInsertState bistate) {
    finish_runs();
    PGAlignedBlock scratch;
    Batch batch{.rel = rel,
                .rows = prepare_rows(rel, slots, count, cid, options),
                .total = count,
                .options = options,
                .bulk = bistate != nullptr,
                .needs_wal = static_cast<bool>(RelationNeedsWAL(rel)),
                .reserved = static_cast<Size>(RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR)),
                .scratch = scratch.data};

    // Checked early to spare work that would have to be rolled back, and again at the end: between both, a
    // serializable reader may have locked the table and read pages that were not filled yet.
    ::CheckForSerializableConflictIn(rel, nullptr, kInvalidBlock);
    while (batch.done < batch.total) {
        CHECK_FOR_INTERRUPTS();
        store_page(&batch);
    }
    release_vm_pin(batch.vmbuf);
    ::CheckForSerializableConflictIn(rel, nullptr, kInvalidBlock);

    for (int i = 0; i < count; ++i) slots[i]->tts_tid = batch.rows[i]->t_self;
    ::pgstat_count_heap_insert(rel, count);
}

}  // namespace glassheap::heap
