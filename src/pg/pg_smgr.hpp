// pg/pg_smgr.hpp — the storage manager's inside: the sizes it believes in, its open files, cutting of forks.
//
// Versions: smgrtruncate2 is the name that minor releases before 18 gave to what is smgrtruncate with old
// sizes
//         in 18; 17 takes a count for prefetching and splits smgrcloseall's work (smgrreleaseall,
//         smgrdestroyall); 18 verifies a page by PageIsVerified, which tells of a wrong checksum through a
//         pointer.
// Errors: may longjmp; a failing cut is the caller's critical section.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/fd.h"
}

namespace glassheap::pg {

// ---- sizes
// What the storage manager takes for the fork's length; InvalidBlockNumber: it will ask.  Believed by
// everybody in recovery, otherwise by who reads it here.
inline BlockNumber &cached_blocks(SMgrRelation files, ForkNumber fork) noexcept {
    return files->smgr_cached_nblocks[fork];
}
inline void forget_cached_sizes(SMgrRelation files) noexcept {
    files->smgr_targblock = InvalidBlockNumber;
    for (BlockNumber &cached : files->smgr_cached_nblocks) cached = InvalidBlockNumber;
}

// ---- cutting.  Clears the tail of the visibility map's last kept page; InvalidBlockNumber: nothing to cut.
inline BlockNumber prepare_vm_truncate(Relation rel, BlockNumber table_blocks) {
    return ::visibilitymap_prepare_truncate(rel, table_blocks);
}
inline void truncate_forks(SMgrRelation files, ForkNumber *forks, int count, BlockNumber *old_blocks,
                           BlockNumber *blocks) {
    ::smgrtruncate2(files, forks, count, old_blocks, blocks);
}

// ---- open files
// The descriptor of the fork's segment if it is open, else -1.  The array's type is private to md.c; it
// begins with the File and the segment's number in all versions this compiles for.  The caller checks the
// file's name.
inline File open_segment_file(SMgrRelation files, ForkNumber fork, BlockNumber segment) noexcept {
    struct SegmentHead {
        File file;
        BlockNumber number;
    };
    if (static_cast<BlockNumber>(files->md_num_open_segs[fork]) <= segment) return -1;
    const auto *segments = reinterpret_cast<const SegmentHead *>(files->md_seg_fds[fork]);
    return segments[segment].number == segment ? segments[segment].file : -1;
}
inline void prefetch_block(SMgrRelation files, ForkNumber fork, BlockNumber block) {
    ::smgrprefetch(files, fork, block);
}
inline void close_all_files() {
    ::smgrcloseall();
}

// ---- pages as they come from a file
enum class PageReport : int { nothing = 0, log_and_count = PIV_LOG_WARNING | PIV_REPORT_STAT };
inline bool is_page_verified(char *page, BlockNumber block, PageReport report) {
    return ::PageIsVerifiedExtended(page, block, static_cast<int>(report));
}

}  // namespace glassheap::pg
