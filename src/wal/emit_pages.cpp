// wal/emit_pages.cpp — records about whole pages and files: prune, vacuum, visible, images, FSM truncation.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "debug/stop_points.hpp"
#include "wal/emit_support.hpp"

namespace glassheap::wal {

namespace {

// An upper bound of what a prune record says about one page: every slot in three bytes, every freeze plan a
// group of its own.
constexpr std::size_t kPruneDataMax = static_cast<std::size_t>(page::kMaxTuplesPerPage) * 24 + 16;

}  // namespace

Lsn emit_prune(const PruneLog &log) {
    const PruneRecord record{.latest_removed_xid = log.latest_removed_xid,
                             .vm_bits = BufferIsValid(log.vm) ? log.vm_bits : std::uint8_t{0},
                             .redirected = static_cast<std::uint16_t>(log.redirected.size()),
                             .dead = static_cast<std::uint16_t>(log.now_dead.size()),
                             .unused = static_cast<std::uint16_t>(log.now_unused.size()),
                             .frozen = static_cast<std::uint16_t>(log.frozen.size()),
                             .freezes_all = log.freezes_all};
    MainData main;
    main.set(record);
    char space[kPruneDataMax];
    ByteWriter data(space, sizeof space);
    write_redirects(data, log.redirected);
    write_slots(data, log.now_dead);
    write_slots(data, log.now_unused);
    write_freeze(data, log.frozen);

    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, log.rel, *log.page, 0);
    if (data.size() != 0) ::XLogRegisterBufData(kPageRef, space, static_cast<int>(data.size()));
    register_vm(kVmRef, log.vm);
    const Lsn lsn = insert_record(RecordType::prune);
    stamp(*log.page, lsn);
    stamp_vm(log.vm, lsn);
    return lsn;
}

Lsn emit_vacuum(Relation rel, const buffer::PinnedPage &page, std::span<const SlotNo> unused,
                Xid latest_removed_xid, Buffer vm, std::uint8_t vm_bits) {
    MainData main;
    main.set(VacuumRecord{latest_removed_xid, BufferIsValid(vm) ? vm_bits : std::uint8_t{0},
                          static_cast<std::uint16_t>(unused.size())});
    char space[kPruneDataMax];
    ByteWriter data(space, sizeof space);
    write_slots(data, unused);

    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, rel, page, 0);
    ::XLogRegisterBufData(kPageRef, space, static_cast<int>(data.size()));
    register_vm(kVmRef, vm);
    const Lsn lsn = insert_record(RecordType::vacuum);
    stamp(page, lsn);
    stamp_vm(vm, lsn);
    return lsn;
}

Lsn emit_visible(Relation rel, const buffer::PinnedPage &page, Buffer vm, std::uint8_t vm_bits,
                 Xid cutoff_xid) {
    MainData main;
    main.set(VisibleRecord{cutoff_xid, vm_bits});
    // PD_ALL_VISIBLE alone is a hint: without checksums the page needs no image, and then its LSN must not
    // move either, or the next real change would believe that an image exists.
    const bool hint_logged = XLogHintBitIsNeeded();

    ::XLogBeginInsert();
    main.register_it();
    register_page(kPageRef, rel, page, hint_logged ? 0 : REGBUF_NO_IMAGE);
    register_vm(kVmRef, vm);
    const Lsn lsn = insert_record(RecordType::visible);
    if (hint_logged) stamp(page, lsn);
    stamp_vm(vm, lsn);
    return lsn;
}

Lsn emit_hint_image(const buffer::ForkRef &fork, BlockNo block, char *page_copy) {
    if (CritSectionCount == 0) GH_STOP_POINT("wal.hint_image_begins");
    pg::RelFile file = fork.owned.file;
    // Only heap pages keep nothing between pd_lower and pd_upper.
    const std::uint8_t standard = fork.fork == MAIN_FORKNUM ? REGBUF_STANDARD : 0;
    ::XLogBeginInsert();
    ::XLogRegisterBlock(kPageRef, &file, fork.fork, block, page_copy, REGBUF_FORCE_IMAGE | standard);
    return insert_record(RecordType::hint_image);
}

void log_new_pages(const pg::RelFile &file, ForkNumber fork, const BlockNo *blocks, char **pages, int count) {
    GH_ASSERT(count > 0 && count <= XLR_MAX_BLOCK_ID);
    pg::RelFile target = file;
    const std::uint8_t standard = fork == MAIN_FORKNUM ? REGBUF_STANDARD : 0;
    ::XLogEnsureRecordSpace(count - 1, 0);

    START_CRIT_SECTION();
    ::XLogBeginInsert();
    for (int i = 0; i < count; ++i)
        ::XLogRegisterBlock(static_cast<std::uint8_t>(i), &target, fork, blocks[i], pages[i],
                            REGBUF_FORCE_IMAGE | standard);
    const Lsn lsn = insert_record(RecordType::new_pages);
    for (int i = 0; i < count; ++i) {
        const page::PageEdit page(pages[i]);
        // An all-zero page has no header to hold an LSN.
        if (!page.is_new()) page.set_lsn(lsn);
    }
    END_CRIT_SECTION();
}

Lsn emit_page_image(Relation rel, const buffer::PinnedPage &page) {
    ::XLogBeginInsert();
    register_page(kPageRef, rel, page, REGBUF_FORCE_IMAGE);
    const Lsn lsn = insert_record(RecordType::new_pages);
    stamp(page, lsn);
    return lsn;
}

void emit_file_event(const pg::RelFile &file, FileEvent what) {
    MainData main;
    main.set(FileEventRecord{.spc = pg::tablespace_of(file),
                             .db = pg::database_of(file),
                             .rel = pg::number_of(file),
                             .what = what});
    START_CRIT_SECTION();
    ::XLogBeginInsert();
    main.register_it();
    const Lsn lsn = insert_record(RecordType::other);
    END_CRIT_SECTION();
    ::XLogFlush(lsn);
}

Lsn emit_fsm_truncate(const pg::RelFile &file, BlockNo heap_blocks) {
    MainData main;
    main.set(FsmTruncateRecord{.spc = pg::tablespace_of(file),
                               .db = pg::database_of(file),
                               .rel = pg::number_of(file),
                               .heap_blocks = heap_blocks});
    ::XLogBeginInsert();
    main.register_it();
    return insert_record(RecordType::other);
}

}  // namespace glassheap::wal
