// redo/redo_update.cpp — replay of updates.
//
// Locking: the old page stays latched until the new version is in place, so that a reader on a standby never
//         follows a forward link into nothing.  Room for the new one is made before (recovery.K3).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "fsm/free_space_map.hpp"
#include "redo/redo_support.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::redo {

namespace {

struct UpdateReplay {
    XLogReaderState *record;
    UpdateRecord r{};
    bool hot;
    bool same_page;
    BlockNo old_block = 0;
    BlockNo new_block = 0;
};

// Both pages at once: one page of the map usually covers both.
void clear_map(const UpdateReplay &u) {
    BlockNo blocks[2];
    std::size_t count = 0;
    if ((u.r.flags & kClearVm) != 0) blocks[count++] = u.new_block;
    if (!u.same_page && (u.r.flags & kClearVmOld) != 0) blocks[count++] = u.old_block;
    if (count != 0) clear_vm_bits(u.record, std::span(blocks, count), vm::kBothBits);
}

void mark_old(const UpdateReplay &u, const RedoPage &page) {
    require_normal(u.record, page, u.r.old_slot);
    const page::PageEdit edit = page.edit();
    const Xid xmax = (u.r.flags & kXmaxStored) != 0 ? u.r.old_xmax : XLogRecGetXid(u.record);
    edit.mark_xmax(u.r.old_slot, unpack_mark(u.r.mark, xmax));
    edit.set_hot_updated(u.r.old_slot, u.hot);
    edit.set_ctid(u.r.old_slot, page::RowAddress::make(u.new_block, u.r.new_slot));
    edit.hint_prunable(XLogRecGetXid(u.record));
    if ((u.r.flags & (u.same_page ? kClearVm : kClearVmOld)) != 0) edit.set_all_visible(false);
}

// The new row's tuple into `tuple`; returns its length.
std::size_t build_new(const UpdateReplay &u, const RedoPage &page, char *tuple) {
    RowHead old_head{};
    std::span<const char> old_body;
    if ((u.r.flags & (kHeadStored | kBodyStored)) != (kHeadStored | kBodyStored)) {
        if (!u.same_page) bad_record(u.record, "an update across pages leans on its old row");
        const page::LinePointer lp = page.page.view().line(u.r.old_slot);
        const char *old_tuple = page.page.view().tuple_bytes(u.r.old_slot);
        old_head = head_of(old_tuple);
        old_body = {old_tuple + old_head.body_start(), lp.length() - old_head.body_start()};
    }
    LoggedUpdate logged;
    if (!parse_update_data(block_data(u.record, kPageRef), u.r, old_head, u.hot, &logged))
        bad_record(u.record, "malformed row");
    char body[page::kPageSize];
    const std::size_t body_length = build_update_body(body, logged, old_body);
    if (body_length == 0 && logged.prefix + logged.suffix + logged.middle.size() != 0)
        bad_record(u.record, "the old row is too short");
    return build_tuple(tuple, logged.head, {body, body_length}, XLogRecGetXid(u.record),
                       (u.r.flags & kNewXmaxStored) != 0 ? u.r.new_xmax : kInvalidXid,
                       page::RowAddress::make(u.new_block, u.r.new_slot));
}

void put_new(const UpdateReplay &u, const RedoPage &page) {
    alignas(MAXIMUM_ALIGNOF) char tuple[page::kPageSize];
    const std::size_t length = build_new(u, page, tuple);
    const SlotNo slot = u.r.new_slot;
    if (length == 0) bad_record(u.record, "malformed row");
    if (slot == kInvalidSlot || slot > page.page.view().max_slot() + 1 ||
        !page.edit().put_tuple(slot, tuple, length))
        bad_record(u.record, "the row does not fit its page");
    if ((u.r.flags & kClearVm) != 0) page.edit().set_all_visible(false);
}

void redo_on_one_page(const UpdateReplay &u) {
    RedoPage page = open_page(u.record, kPageRef);
    if (page.to_apply()) {
        mark_old(u, page);
        put_new(u, page);
        page.finish(u.record);
    }
    page.close();
}

void redo_on_two_pages(const UpdateReplay &u) {
    buffer::RoomInRedo room = make_room(u.record, kPageRef);
    RedoPage old_page = open_page(u.record, kOldPageRef);
    if (old_page.to_apply()) {
        mark_old(u, old_page);
        old_page.finish(u.record);
    }
    RedoPage new_page = open_page(u.record, kPageRef, RedoLatch::exclusive, &room);
    std::size_t free = page::kPageSize;
    if (new_page.to_apply()) {
        put_new(u, new_page);
        new_page.finish(u.record);
        free = new_page.page.view().free_space_for_tuple();
    }
    new_page.close();
    old_page.close();
    // Not for HOT updates: one of the two versions will soon be pruned.
    if (free < page::kPageSize / 5) fsm::redo_record(new_page.file, new_page.block, free);
}

}  // namespace

void redo_update(XLogReaderState *record, bool hot) {
    UpdateReplay u{.record = record, .hot = hot, .same_page = !XLogRecHasBlockRef(record, kOldPageRef)};
    ByteReader in = main_data(record);
    if (!parse(in, &u.r)) bad_record(record, "malformed update");
    u.new_block = block_of_ref(record, kPageRef);
    u.old_block = u.same_page ? u.new_block : block_of_ref(record, kOldPageRef);
    clear_map(u);
    if (u.same_page)
        redo_on_one_page(u);
    else
        redo_on_two_pages(u);
}

}  // namespace glassheap::redo
