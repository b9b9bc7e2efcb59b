// heap/row_access.hpp — from a line pointer of a page to its tuple, and the visibility bits that go with it.
//
// Why:    the one way to get a tuple out of a page, for all rooms; kept inline because it stands on every hot
//         path.
// Locking: point_at wants the page latched; a tuple found that way may be read later under the pin alone.
// Errors: point_at_normal and require_* may longjmp; the rest never.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "heap/heap_errors.hpp"
#include "page/page_check.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::heap {

inline bool is_normal_slot(page::PageView view, SlotNo slot) noexcept {
    return slot >= 1 && slot <= view.max_slot() && view.line(slot).is_normal();
}

// Precondition of these: the line pointer is normal.
inline HeapTupleHeader header_at(const buffer::PinnedPage &page, SlotNo slot) noexcept {
    return reinterpret_cast<HeapTupleHeader>(page.data() + page.view().line(slot).offset());
}
// The page at `bytes` is block `block` of the table.
inline void point_at(HeapTuple tuple, Oid table, char *bytes, BlockNo block, SlotNo slot) noexcept {
    const page::LinePointer line = page::PageView(bytes).line(slot);
    tuple->t_data = reinterpret_cast<HeapTupleHeader>(bytes + line.offset());
    tuple->t_len = line.length();
    tuple->t_tableOid = table;
    ItemPointerSet(&tuple->t_self, block, slot);
}
inline void point_at(HeapTuple tuple, Relation rel, const buffer::PinnedPage &page, SlotNo slot) noexcept {
    point_at(tuple, RelationGetRelid(rel), page.data(), page.block(), slot);
}
inline HeapTupleData tuple_at(Relation rel, const buffer::PinnedPage &page, SlotNo slot) noexcept {
    HeapTupleData tuple;
    point_at(&tuple, rel, page, slot);
    return tuple;
}

// Before a row is copied out of its page: all of it must lie there.  DATA_CORRUPTED.
inline void require_within_page(Relation rel, const HeapTupleData &tuple, const buffer::PinnedPage &page) {
    const auto *row = reinterpret_cast<const char *>(tuple.t_data);
    // Before the page it is an offset beyond all pages.
    const auto offset = static_cast<std::size_t>(row - page.data());
    if (!page::is_row_extent(offset, tuple.t_len)) [[unlikely]]
        report_row_outside_page(rel, tuple.t_self, offset, tuple.t_len);
}

// Rows of these relations may have out-of-line values.
inline bool can_have_toast(Relation rel) noexcept {
    return rel->rd_rel->relkind == RELKIND_RELATION || rel->rd_rel->relkind == RELKIND_MATVIEW;
}

inline page::RowAddress address_of(const ItemPointerData &tid) noexcept {
    return page::RowAddress::make(ItemPointerGetBlockNumberNoCheck(&tid),
                                  ItemPointerGetOffsetNumberNoCheck(&tid));
}

// The page loses all-visible in this critical section: flag and map bits together (vm.V2).
// Precondition: vmbuf covers the page and is locked exclusively.
inline void clear_all_visible(const buffer::PinnedPage &page, Buffer vmbuf) noexcept {
    page.edit().set_all_visible(false);
    // The record registers the map page in any case, so it has to be dirty even when its bits were lost.
    if (!vm::clear_bits_locked(vmbuf, page.block(), vm::kBothBits)) ::MarkBufferDirty(vmbuf);
}

// A change would have to clear map bits that are not at hand; without the latch that is a guess.
inline bool lacks_vm_pin(const buffer::PinnedPage &page, Buffer vmbuf) noexcept {
    return vmbuf == InvalidBuffer && page.view().all_visible();
}
// Others may come in between: look at the page again.
inline void pin_vm_unlatched(Relation rel, const buffer::PinnedPage &page, Buffer *vmbuf) {
    page.unlatch();
    vm::pin(rel, page.block(), vmbuf);
    page.latch_exclusive();
}
inline void release_vm_pin(Buffer vmbuf) {
    if (vmbuf != InvalidBuffer) ::ReleaseBuffer(vmbuf);
}

}  // namespace glassheap::heap
