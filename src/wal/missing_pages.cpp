// wal/missing_pages.cpp — see missing_pages.hpp.  In the startup process only.
//
// Invariants: B1 core enters a page into its book when asked to read one that is not there; what it read on
// the way
//            leaves shared_buffers at once, for our pages have no business there.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "storage/files.hpp"
#include "wal/missing_pages.hpp"

namespace glassheap::wal {

namespace {

// Behind the end of every file: its block numbers end below.
constexpr BlockNo kImaginary = MaxBlockNumber;

void enter(const RelFileNode &node, ForkNumber fork, BlockNo block) {
    ::XLogReadBufferExtended(node, fork, block, RBM_NORMAL, InvalidBuffer);
}

// The block is in the file.  False: core found something on it.
bool enter_zeroes(const RelFileNode &node, ForkNumber fork, BlockNo block) {
    const Buffer buf = ::XLogReadBufferExtended(node, fork, block, RBM_NORMAL, InvalidBuffer);
    if (BufferIsValid(buf)) ::ReleaseBuffer(buf);
    ::DropRelFileNodeBuffers(::smgropen(node, InvalidBackendId), &fork, 1, &block);  // B1
    return !BufferIsValid(buf);
}

}  // namespace

void note_missing_page(const RelFileNode &node, ForkNumber fork, BlockNo block) {
    if (block >= storage::block_count(node, InvalidBackendId, fork))
        enter(node, fork, block);
    else if (!enter_zeroes(node, fork, block))
        enter(node, fork,
              kImaginary);  // zeroes in our pool, something else in the file: missing all the same
}

void enter_imaginary_page(const RelFileNode &node) {
    const bool consistent = reachedConsistency;
    reachedConsistency = false;  // else a missing page is a PANIC at once
    enter(node, MAIN_FORKNUM, kImaginary);
    reachedConsistency = consistent;
}

void remove_imaginary_page(const RelFileNode &node) {
    ::XLogTruncateRelation(node, MAIN_FORKNUM, kImaginary);
}

}  // namespace glassheap::wal
