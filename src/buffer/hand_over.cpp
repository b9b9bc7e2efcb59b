// buffer/hand_over.cpp — see buffer/hand_over.hpp.
//
// Why:    the catalog may give our file to a heap table (pg_repack's swap of relfilenodes, an UPDATE of
//         pg_class).  The other direction needs nothing: our misses take over page by page (core_copies.hpp).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/hand_over.hpp"
#include "buffer/io.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "pg/pg_buffers.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// Its file stays, and so does a mark.
void forget_pages(const pg::RelFile &node) noexcept {
    forget_from(pg::shared_file(node), InvalidForkNumber, 0);
}

// One page that was kept aside becomes the file's; what shared_buffers has of it was given up.
void put_into_file(const storage::AsidePage &at) {
    alignas(4096) static char page[page::kPageSize];
    constexpr int kPatience = 500;
    if (!storage::read_aside(at.node, at.fork, at.block, page)) return;
    for (int i = 0; i < kPatience && !pg::evict_core_copy({at.node, at.fork, at.block}, ~Lsn{0}); ++i)
        ::pg_usleep(10'000L);  // somebody reads it
    if (at.block < storage::block_count(at.node, pg::kNoBackend, at.fork))
        storage::write_block(at.node, pg::kNoBackend, at.fork, at.block, page);
    storage::remove_aside(at.node, at.fork, at.block);
}

}  // namespace

bool has_pages(const pg::RelFile &node) noexcept {
    return is_ready() && collect_frames({node, -1, 0}, nullptr, 0) > 0;
}

void part_with_relation(const pg::OwnedFile &node) {
    flush_relation(node);
    forget_from(node, InvalidForkNumber, 0);
}

void hand_over_to_core(const pg::RelFile &node) {
    flush_relation(pg::shared_file(node));
    if (!::RecoveryInProgress() && is_in_two_pools(node))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("relation %s is in two buffer pools",
                               storage::path_of(node, pg::kNoBackend, MAIN_FORKNUM)),
                        errhint("Keep one version with glassheap_resolve first.")));
    forget_pages(node);
    pg::evict_core_copies(node);
}

void give_back_to_core(const pg::RelFile &node) {
    abort_io_claims();  // an error brought us here: our own I/O must not be waited for
    if (!is_in_two_pools(node)) flush_relation(pg::shared_file(node));
    forget_pages(node);
    unmark_two_pools(node);
    pg::evict_core_copies(node);
}

void redo_resolved(const pg::RelFile &node) {
    if (!is_in_two_pools(node)) return;
    flush_relation(pg::shared_file(node));
    forget_pages(node);
    storage::for_each_aside(node, put_into_file);
    unmark_two_pools(node);
}

void lift_two_pools_mark(const pg::RelFile &node) noexcept {
    unmark_two_pools(node);
}

}  // namespace glassheap::buffer
