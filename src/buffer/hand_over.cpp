// buffer/hand_over.cpp — see buffer/hand_over.hpp.
//
// Why:    the catalog may give our file to a heap table (pg_repack's swap of relfilenodes, an UPDATE of
//         pg_class).  The other direction needs nothing: our misses take over page by page (core_copies.hpp).
// Model:  doc/design/models/handover.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/hand_over.hpp"
#include "buffer/io.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "pg/pg_buffers.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// Its file stays, and so does a mark.
void forget_pages(const pg::RelFile &file) noexcept {
    forget_from(pg::shared_file(file), InvalidForkNumber, 0);
}

// One page that was kept aside becomes the file's; what shared_buffers has of it was given up.
void put_into_file(const storage::AsidePage &at) {
    alignas(4096) static char page[page::kPageSize];
    constexpr int kPatience = 500;
    if (!storage::read_aside(at.file, at.fork, at.block, page)) return;
    for (int i = 0; i < kPatience && !pg::evict_core_copy({at.file, at.fork, at.block}, ~Lsn{0}); ++i)
        ::pg_usleep(10'000L);  // somebody reads it
    if (at.block < storage::block_count(at.file, pg::kNoBackend, at.fork))
        storage::write_block(at.file, pg::kNoBackend, at.fork, at.block, page);
    storage::remove_aside(at.file, at.fork, at.block);
}

}  // namespace

// Who has asked before is found by part_with_page, with his hint or without it; who asks after that is told.
void begin_core_replay(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    CoreReplay &replay = pool.shared->core_replay;
    GH_ASSERT(replay.count < CoreReplay::kPagesMax);
    SpinLockAcquire(&replay.lock);
    replay.pages[replay.count++] = make_tag(file, fork, block);
    SpinLockRelease(&replay.lock);
}

void end_core_replay() noexcept {
    CoreReplay &replay = pool.shared->core_replay;
    SpinLockAcquire(&replay.lock);
    replay.count = 0;
    SpinLockRelease(&replay.lock);
}

bool is_core_replaying(const PageTag &tag) noexcept {
    CoreReplay &replay = pool.shared->core_replay;
    SpinLockAcquire(&replay.lock);
    const bool found = std::any_of(replay.pages, replay.pages + replay.count,
                                   [&tag](const PageTag &page) { return page == tag; });
    SpinLockRelease(&replay.lock);
    return found;
}

bool has_pages(const pg::RelFile &file) noexcept {
    return is_ready() && collect_frames({file, -1, 0}, nullptr, 0) > 0;
}

void part_with_relation(const pg::OwnedFile &owned) {
    flush_relation(owned);
    forget_from(owned, InvalidForkNumber, 0);
    forget_summaries(owned.file);  // pool.K4
}

void hand_over_to_core(const pg::RelFile &file) {
    flush_relation(pg::shared_file(file));
    if (!::RecoveryInProgress() && is_in_two_pools(file))
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("relation %s is in two buffer pools",
                               storage::path_of(file, pg::kNoBackend, MAIN_FORKNUM)),
                        errhint("Keep one version with glassheap_resolve first.")));
    forget_pages(file);
    pg::evict_core_copies(file);
}

void give_back_to_core(const pg::RelFile &file) {
    abort_io_claims();  // an error brought us here: our own I/O must not be waited for
    if (!is_in_two_pools(file)) flush_relation(pg::shared_file(file));
    forget_pages(file);
    unmark_two_pools(file);
    pg::evict_core_copies(file);
}

void redo_resolved(const pg::RelFile &file) {
    if (!is_in_two_pools(file)) return;
    flush_relation(pg::shared_file(file));
    forget_pages(file);
    storage::for_each_aside(file, put_into_file);
    unmark_two_pools(file);
}

void redo_cut_aside(const pg::RelFile &file, BlockNo blocks) {
    if (is_in_two_pools(file)) storage::remove_aside_from(file, blocks);
}

void lift_two_pools_mark(const pg::RelFile &file) noexcept {
    unmark_two_pools(file);
}

}  // namespace glassheap::buffer
