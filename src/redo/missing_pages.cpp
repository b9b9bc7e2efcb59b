// redo/missing_pages.cpp — see missing_pages.hpp.  In the startup process only.
//
// Invariants: wal.B1 core enters a page into its book when asked to read one behind the end of the file.  A
//            page of zeroes is not behind it: core is made to believe so for this one call, or it would
//            read the page into shared_buffers, where ours have no business.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "pg/pg_smgr.hpp"
#include "redo/missing_pages.hpp"

namespace glassheap::redo {

namespace {

// Behind the end of every file: its block numbers end below.
constexpr BlockNo kImaginary = MaxBlockNumber;

void enter(const pg::RelFile &file, ForkNumber fork, BlockNo block) {
    SMgrRelation files = ::smgropen(file, pg::kNoBackend);
    BlockNo &cached = pg::cached_blocks(files, fork);
    const BlockNo known = std::exchange(cached, block);  // wal.B1; believed in recovery only
    ::XLogReadBufferExtended(file, fork, block, RBM_NORMAL, InvalidBuffer);
    cached = known;
}

}  // namespace

void note_missing_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) {
    enter(file, fork, block);
}

void enter_imaginary_page(const pg::RelFile &file) {
    const bool consistent = reachedConsistency;
    reachedConsistency = false;  // else a missing page is a PANIC at once
    enter(file, MAIN_FORKNUM, kImaginary);
    reachedConsistency = consistent;
}

void remove_imaginary_page(const pg::RelFile &file) {
    ::XLogTruncateRelation(file, MAIN_FORKNUM, kImaginary);
}

}  // namespace glassheap::redo
