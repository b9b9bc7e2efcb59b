// redo/redo_check.cpp — wal_consistency_checking for pages of our pool.
//
// Why:    core would read the block through shared_buffers, find what is on disk, and call it inconsistent.
//         So we compare here, right after replaying the record, and take the flag off it
//         (doc/design/recovery.md#one-function-per-change). The setting must name the resource manager:
//         wal_consistency_checking = 'glassheap' ('all' is parsed before we exist).
// Invariants: wal.K1 before the database is consistent, map pages are not compared.
//            Files are newer then than the record: those dropped later begin empty, and a map page is filled
//            from zeroes with the bits of later records only; a truncation clears bits without moving the
//            LSN.  Images of full pages would mend that, but no record tells whether all of them were
//            written: the setting also changes without one (UpdateFullPageWrites).  Pages of rows are zeroes
//            then, or complete, or, without checksums, torn where a visible record has no image
//            (recovery.T1) and not compared either.  On a standby everything is compared.
// Errors: FATAL when a page differs, as core.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "redo/redo_support.hpp"
#include "redo/rmgr_callbacks.hpp"
#include "wal/mask.hpp"

namespace glassheap::redo {

namespace {

alignas(MAXIMUM_ALIGNOF) char replayed[page::kPageSize];
alignas(MAXIMUM_ALIGNOF) char logged[page::kPageSize];

// Copies the page as replay left it; false when there is nothing to compare with.
bool copy_ours(XLogReaderState *record, const pg::RelFile &file, ForkNumber fork, BlockNo block) {
    buffer::PinnedPage page = buffer::redo_page(file, fork, block, false, false);
    if (!page) return false;
    std::memcpy(replayed, page.data(), sizeof replayed);
    page.unlatch();
    const page::PageView view(replayed);
    return !view.is_new() &&
           view.lsn() <= record->EndRecPtr;  // zeroes are a missing page (wal.K1), and noted as such
}

// VM pages live in shared_buffers.
bool copy_vm(XLogReaderState *record, const pg::RelFile &file, BlockNo block) {
    const Buffer buf =
        ::XLogReadBufferExtended(file, VISIBILITYMAP_FORKNUM, block, RBM_NORMAL_NO_LOG, InvalidBuffer);
    if (!BufferIsValid(buf)) return false;
    ::LockBuffer(buf, BUFFER_LOCK_SHARE);
    std::memcpy(replayed, BufferGetPage(buf), sizeof replayed);
    ::UnlockReleaseBuffer(buf);
    return page::PageView(replayed).lsn() <= record->EndRecPtr;
}

void hide_lsn_and_checksum(char *bytes) noexcept {
    page::PageHeadBytes &head = page::PageEdit(bytes).head();
    head.lsn_hi = head.lsn_lo = 0;
    head.checksum = 0;
}

void mask(char *bytes, ForkNumber fork, BlockNo block) {
    if (fork == MAIN_FORKNUM)
        mask_page(bytes, block);
    else
        hide_lsn_and_checksum(bytes);
}

bool is_visible(XLogReaderState *record) noexcept {
    return (XLogRecGetInfo(record) & ~XLR_INFO_MASK) == static_cast<std::uint8_t>(RecordType::visible);
}

void check_ref(XLogReaderState *record, std::uint8_t ref) {
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;
    ::XLogRecGetBlockTag(record, ref, &file, &fork, &block);
    if (fork == VISIBILITYMAP_FORKNUM && !reachedConsistency) return;  // wal.K1
    if (fork == MAIN_FORKNUM && is_visible(record) && may_meet_torn_pages()) return;
    const bool comparable =
        fork == VISIBILITYMAP_FORKNUM ? copy_vm(record, file, block) : copy_ours(record, file, fork, block);
    if (!comparable) return;
    if (!::RestoreBlockImage(record, ref, logged))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg_internal("%s", record->errormsg_buf)));
    mask(replayed, fork, block);
    mask(logged, fork, block);
    if (std::memcmp(replayed, logged, sizeof logged) == 0) return;
    std::size_t at = 0;
    while (replayed[at] == logged[at]) ++at;
    ereport(FATAL, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("inconsistent glassheap page found, rel %u/%u/%u, forknum %u, blkno %u",
                           pg::tablespace_of(file), pg::database_of(file), pg::number_of(file), fork, block),
                    errdetail("The replayed page and the image in the record of type %s differ at byte %zu.",
                              gh_rm_identify(XLogRecGetInfo(record) & ~XLR_INFO_MASK), at)));
}

}  // namespace

void check_consistency(XLogReaderState *record) {
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref) {
        if (!XLogRecHasBlockRef(record, ref) || !XLogRecHasBlockImage(record, ref)) continue;
        // An applied image would be compared with itself.
        if (!XLogRecBlockImageApply(record, ref)) check_ref(record, static_cast<std::uint8_t>(ref));
    }
    record->record->header.xl_info &= static_cast<uint8>(~XLR_CHECK_CONSISTENCY);
}

extern "C" void gh_rm_mask(char *pagedata, BlockNumber blkno) {
    mask_page(pagedata, blkno);
}

}  // namespace glassheap::redo
