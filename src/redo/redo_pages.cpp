// redo/redo_pages.cpp — replay of prune, vacuum, visible, images and FSM truncation.
//
// Why:    these take something away that a query on a standby might still want: conflicts come first, before
//         any page is touched.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/hand_over.hpp"
#include "fsm/free_space_map.hpp"
#include "pg/pg_recovery.hpp"
#include "redo/redo_support.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::redo {

namespace {

void resolve_conflict(XLogReaderState *record, Xid horizon) {
    if (InHotStandby) pg::resolve_snapshot_conflict(horizon, file_of_ref(record, kPageRef));
}

void apply_prune(XLogReaderState *record, const RedoPage &page, const PruneRecord &r) {
    page::Redirect redirected[page::kMaxTuplesPerPage];
    SlotNo dead[page::kMaxTuplesPerPage];
    SlotNo unused[page::kMaxTuplesPerPage];
    page::FreezePlan plans[page::kMaxTuplesPerPage];
    ByteReader data = block_data(record, kPageRef);
    const bool ok = read_redirects(data, redirected, r.redirected) && read_slots(data, dead, r.dead) &&
                    read_slots(data, unused, r.unused) && read_freeze(data, plans, r.frozen) &&
                    data.left() == 0;
    if (!ok) bad_record(record, "malformed prune");
    const page::PageEdit edit = page.edit();
    if (r.needs_cleanup()) edit.apply_prune({redirected, r.redirected}, {dead, r.dead}, {unused, r.unused});
    for (int i = 0; i < r.frozen; ++i) require_normal(record, page, plans[i].slot);
    if (r.frozen != 0) edit.apply_freeze({plans, r.frozen});
    if (r.freezes_all) edit.freeze_all();
    if (r.vm_bits != 0) edit.set_all_visible(true);
}

// What pruning and vacuum free is told to the map at once, image or not: the map is not in the image.
void close_and_note_space(RedoPage *page) {
    if (!page->page) return;
    const std::size_t free = page->page.view().free_space_for_tuple();
    page->close();
    fsm::redo_record(page->file, page->block, free);
}

}  // namespace

void redo_prune(XLogReaderState *record) {
    PruneRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed prune");
    resolve_conflict(record, r.latest_removed_xid);
    RedoPage page =
        open_page(record, kPageRef, r.needs_cleanup() ? RedoLatch::cleanup : RedoLatch::exclusive);
    if (page.to_apply()) {
        apply_prune(record, page, r);
        page.finish(record);
    }
    if (r.needs_cleanup() || r.vm_bits != 0)
        close_and_note_space(&page);
    else
        page.close();
    // After the page, so that no bit stands without PD_ALL_VISIBLE.
    if (r.vm_bits != 0) set_vm_bits(record, r.vm_bits);
}

void redo_vacuum(XLogReaderState *record) {
    VacuumRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed vacuum");
    if (r.vm_bits != 0) resolve_conflict(record, r.latest_removed_xid);
    RedoPage page = open_page(record, kPageRef);
    if (page.to_apply()) {
        SlotNo unused[page::kMaxTuplesPerPage];
        ByteReader data = block_data(record, kPageRef);
        if (!read_slots(data, unused, r.unused) || data.left() != 0) bad_record(record, "malformed vacuum");
        page.edit().apply_vacuum({unused, r.unused});
        if (r.vm_bits != 0) page.edit().set_all_visible(true);
        page.finish(record);
    }
    close_and_note_space(&page);
    if (r.vm_bits != 0) set_vm_bits(record, r.vm_bits);
}

void redo_visible(XLogReaderState *record) {
    VisibleRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) bad_record(record, "malformed visible");
    resolve_conflict(record, r.cutoff_xid);
    RedoPage page = is_torn(record, kPageRef) ? RedoPage{} : open_page(record, kPageRef);
    if (page.to_apply()) {
        page.edit().set_all_visible(true);
        // As in emit_visible: an LSN without an image behind it would be a lie.
        if (XLogHintBitIsNeeded()) page.edit().set_lsn(record->EndRecPtr);
        buffer::mark_dirty_in_redo(page.page);
    }
    // Vacuum on a promoted standby skips all-visible pages, so the map must be right about them.
    close_and_note_space(&page);
    if (r.vm_bits != 0) set_vm_bits(record, r.vm_bits);
}

void redo_images(XLogReaderState *record) {
    if (main_data(record).left() != 0) bad_record(record, "an image record with main data");
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref) {
        if (!XLogRecHasBlockRef(record, ref)) continue;
        RedoPage page = open_page(record, static_cast<std::uint8_t>(ref));
        if (page.action != RedoAction::restored) bad_record(record, "an image record without image");
        page.close();
    }
}

namespace {

void redo_fsm_truncate(XLogReaderState *record, ByteReader in, std::uint8_t format) {
    FsmTruncateRecord r;
    if (!parse(in, format, &r)) bad_record(record, "malformed FSM truncation");
    // As in core's truncation: there is no way back from a shorter file, so recovery must get at least here.
    ::XLogFlush(record->EndRecPtr);
    fsm::redo_truncate(pg::make_file(r.spc, r.db, r.rel), r.heap_blocks);
}

void redo_file_event(XLogReaderState *record, ByteReader in, std::uint8_t format) {
    FileEventRecord r;
    if (!parse(in, format, &r)) bad_record(record, "malformed file event");
    const pg::RelFile file = pg::make_file(r.spc, r.db, r.rel);
    if (r.what == FileEvent::handed_over)
        buffer::hand_over_to_core(file);
    else if (InArchiveRecovery)  // a server's own mark may be younger than a record that it replays again
        buffer::redo_resolved(file);
}

}  // namespace

void redo_other(XLogReaderState *record) {
    OtherHead head;
    ByteReader in = main_data(record);
    if (!parse(in, &head)) bad_record(record, "malformed head");
    switch (head.what) {
        case OtherRecord::fsm_truncate:
            return redo_fsm_truncate(record, in, head.format);
        case OtherRecord::file_event:
            return redo_file_event(record, in, head.format);
    }
    bad_record(record, "unknown subtype");
}

}  // namespace glassheap::redo
