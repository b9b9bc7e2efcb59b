// heap/apply_rows.hpp — several new rows onto one page, in one change and one record.
//
// Why:    multi_insert and runs of single inserts differ only in how the rows get there.
// Locking: the page is latched exclusively, the map page pinned where its bits change.
// Errors: none between the first and the last line: it is a PageChange.
// WAL:    RecordType::multi_insert.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/row_access.hpp"
#include "page/slot_list.hpp"
#include "wal/emit.hpp"

namespace glassheap::heap {

struct RowsChange {
    Relation rel;
    const buffer::PinnedPage &page;
    int options;    // HEAP_INSERT_*
    Buffer vmbuf;   // covers the page if it is all-visible, or if the rows make it all-frozen
    char *scratch;  // for the record, kPageSize bytes
};

// put() places the rows and returns their slots; is_last(count): were these the last ones of the command?
// Returns how many they were.
template <typename Put, typename IsLast>
int apply_rows(const RowsChange &rows, Put put, IsLast is_last) {
    const buffer::PinnedPage &page = rows.page;
    const bool was_empty = page.view().max_slot() == 0;
    const bool freeze = (rows.options & HEAP_INSERT_FROZEN) != 0;
    // Frozen rows do not take visibility away from a page; alone on it they make it all-frozen.
    const bool set_frozen = was_empty && freeze;
    const bool clear = page.view().all_visible() && !freeze;
    const Buffer vmbuf = set_frozen || clear ? rows.vmbuf : InvalidBuffer;

    vm::VmLock vm_lock(vmbuf);
    buffer::PageChange change;
    change.add(page);
    const page::SlotList slots = put();
    // All that is on the page, and the latch is ours: readers judge one transaction (design.D9).
    if (was_empty && !freeze) page.remember_sole_inserter(::GetCurrentTransactionIdIfAny());
    const auto count = static_cast<int>(slots.size());
    if (clear) {
        clear_all_visible(page, vmbuf);
    } else if (set_frozen) {
        page.edit().set_all_visible(true);
        if (!vm::set_bits_locked(vmbuf, page.block(), vm::kBothBits)) ::MarkBufferDirty(vmbuf);
    }
    if (RelationNeedsWAL(rows.rel))
        wal::emit_multi_insert({.rel = rows.rel,
                                .page = &page,
                                .slots = slots.data(),
                                .count = count,
                                .init_page = was_empty,
                                .last = is_last(count),
                                .vm = vmbuf,
                                .all_frozen_set = set_frozen,
                                .options = rows.options,
                                .scratch = rows.scratch});
    change.finish();
    return count;
}

}  // namespace glassheap::heap
