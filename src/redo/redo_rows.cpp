// redo/redo_rows.cpp — replay of insert, multi_insert, remove, lock, confirm.
//
// Why:    VM bits go first: a reader on a standby must never find a bit set for a page that has a change
//         in it.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "fsm/free_space_map.hpp"
#include "redo/redo_support.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::redo {

namespace {

// The map hears of pages that fill up; more often would cost replay speed (heap uses the same fifth).
constexpr std::size_t kLowSpace = page::kPageSize / 5;

void put_row(XLogReaderState *record, const RedoPage &page, SlotNo slot, const LoggedRow &row) {
    alignas(MAXIMUM_ALIGNOF) char tuple[page::kPageSize];
    const std::size_t length = build_tuple(tuple, row.head, row.body, XLogRecGetXid(record), kInvalidXid,
                                           page::RowAddress::make(page.block, slot));
    if (length == 0) bad_record(record, "malformed row");
    if (slot == kInvalidSlot || slot > page.page.view().max_slot() + 1 ||
        !page.edit().put_tuple(slot, tuple, length))
        bad_record(record, "the row does not fit its page");
}

// After the page is closed: tells the free space map of a page that is filling up.
void note_free_space(const RedoPage &page, RedoAction action, std::size_t free) {
    if (action == RedoAction::apply && free < kLowSpace) fsm::redo_record(page.file, page.block, free);
}

}  // namespace

void redo_insert(XLogReaderState *record, bool init) {
    InsertRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed insert");
    if ((r.flags & kClearVm) != 0) clear_vm_bits(record, block_of_ref(record, kPageRef), vm::kBothBits);
    RedoPage page = open_page(record, kPageRef);
    std::size_t free = 0;
    if (page.to_apply()) {
        GH_ASSERT(!init || r.slot == 1);
        ByteReader data = block_data(record, kPageRef);
        LoggedRow row;
        if (!read_head(data, &row.head)) bad_record(record, "malformed row");
        row.body = {data.rest(), data.left()};
        put_row(record, page, r.slot, row);
        if ((r.flags & kClearVm) != 0) page.edit().set_all_visible(false);
        page.finish(record);
        free = page.page.view().free_space_for_tuple();
    }
    page.close();
    note_free_space(page, page.action, free);
}

void redo_multi_insert(XLogReaderState *record) {
    MultiInsertRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed multi-insert");
    if ((r.flags & kClearVm) != 0) clear_vm_bits(record, block_of_ref(record, kPageRef), vm::kBothBits);
    RedoPage page = open_page(record, kPageRef);
    std::size_t free = 0;
    if (page.to_apply()) {
        RowReader rows(block_data(record, kPageRef), r.flags);
        for (int i = 0; i < r.count; ++i) {
            LoggedRow row;
            if (!rows.next(&row)) bad_record(record, "malformed row");
            put_row(record, page, r.slot(i), row);
        }
        if (!rows.at_end()) bad_record(record, "bytes left over behind the rows");
        if ((r.flags & kClearVm) != 0) page.edit().set_all_visible(false);
        if ((r.flags & kAllFrozenSet) != 0) page.edit().set_all_visible(true);
        page.finish(record);
        free = page.page.view().free_space_for_tuple();
    }
    page.close();
    // Setting is the other way round: the page before the map.
    if ((r.flags & kAllFrozenSet) != 0) set_vm_bits(record, vm::kBothBits);
    note_free_space(page, page.action, free);
}

namespace {

void apply_remove(XLogReaderState *record, const RedoPage &page, const RemoveRecord &r) {
    const page::PageEdit edit = page.edit();
    if ((r.flags & kSpeculativeAbort) != 0) {
        edit.abort_speculative(r.slot, page.block);
        return;
    }
    const Xid xmax = (r.flags & kXmaxStored) != 0 ? r.xmax : XLogRecGetXid(record);
    edit.mark_xmax(r.slot, unpack_mark(r.mark, xmax));
    edit.set_hot_updated(r.slot, false);
    edit.set_ctid(r.slot, (r.flags & kPartitionMove) != 0
                              ? page::RowAddress::make(kInvalidBlock, page::kMovedPartitionsSlot)
                              : page::RowAddress::make(page.block, r.slot));
}

}  // namespace

void redo_remove(XLogReaderState *record) {
    RemoveRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed delete");
    if ((r.flags & kClearVm) != 0) clear_vm_bits(record, block_of_ref(record, kPageRef), vm::kBothBits);
    RedoPage page = open_page(record, kPageRef);
    if (page.to_apply()) {
        require_normal(record, page, r.slot);
        apply_remove(record, page, r);
        page.edit().hint_prunable(XLogRecGetXid(record));
        if ((r.flags & kClearVm) != 0) page.edit().set_all_visible(false);
        page.finish(record);
    }
    page.close();
}

void redo_lock(XLogReaderState *record) {
    LockRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed lock");
    if ((r.flags & kClearFrozen) != 0)
        clear_vm_bits(record, block_of_ref(record, kPageRef), vm::kAllFrozenBit);
    RedoPage page = open_page(record, kPageRef);
    if (page.to_apply()) {
        require_normal(record, page, r.slot);
        const page::PageEdit edit = page.edit();
        edit.mark_xmax(r.slot,
                       unpack_mark(r.mark, (r.flags & kXmaxStored) != 0 ? r.xmax : XLogRecGetXid(record)));
        if ((r.flags & kChainKept) == 0) {
            edit.set_hot_updated(r.slot, false);
            edit.set_ctid(r.slot, page::RowAddress::make(page.block, r.slot));
        }
        page.finish(record);
    }
    page.close();
}

void redo_confirm(XLogReaderState *record) {
    ConfirmRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed confirm");
    RedoPage page = open_page(record, kPageRef);
    if (page.to_apply()) {
        require_normal(record, page, r.slot);
        page.edit().confirm_speculative(r.slot, page.block);
        page.finish(record);
    }
    page.close();
}

}  // namespace glassheap::redo
