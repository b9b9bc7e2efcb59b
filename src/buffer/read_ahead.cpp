// buffer/read_ahead.cpp — sequential scans of large tables read several pages with one call.
//
// Why:    a table larger than the pool costs a system call per page otherwise.  Only scans with a bulk-read
//         ring do it, and only after two misses in a row were neighbours; runs double up to 16 pages.
// Invariants: pool.H1 a run ends before a page that is in the pool or in shared_buffers, at the end of the
//            file, at the end of its segment.
//         pool.H2 a page read ahead that is damaged is left without data: whoever asks for it reports it.
//         pool.H3 a page read ahead counts as read when the scan asks for it, not before (EXPLAIN stays
//         true).
//         pool.H4 shared_buffers is asked for a page after its frame is in the table: who settles the copies
//         of a relation waits for the reads that he finds, and what is claimed later sees what he saw.
// Locking: while a run is put together its frames are claimed for I/O; nothing is waited for that could wait
//         for them (a page found in the pool ends the run, as does the lack of a free frame).
// Errors: may longjmp (first page: I/O, damage; others only when a victim cannot be written); claims are
//         given up.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/access_ring.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/two_pools.hpp"
#include "buffer/verify.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_usage.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

struct Run {
    FrameNo frames[storage::kReadRunMax];
    char *pages[storage::kReadRunMax];
    BlockNo count;
};

LoadRequest request_for(const LoadRequest &first, BlockNo ahead) noexcept {
    LoadRequest request = first;
    request.tag.block += ahead;
    request.hash = hash_tag(request.tag);
    return request;
}

BlockNo next_run_length(AccessRing *ring, const PageTag &tag) {
    const bool sequential = tag.block == ring->expected;
    ring->expected = tag.block + 1;
    if (!sequential) {
        ring->run = 1;
        return 1;
    }
    const BlockNo most =
        std::min({storage::kReadRunMax, static_cast<BlockNo>(ring->size) / 2, 1 + fair_share()});
    ring->run = std::max<BlockNo>(1, std::min(ring->run * 2, most));
    if (ring->run == 1) return 1;
    const BlockNo blocks = storage::block_count(file_of(tag), pg::kNoBackend, fork_number(tag));
    const BlockNo left = blocks > tag.block ? blocks - tag.block : 1;
    return std::min({ring->run, left, static_cast<BlockNo>(RELSEG_SIZE) - tag.block % RELSEG_SIZE});
}

void add(Run *run, FrameNo frame) noexcept {
    run->frames[run->count] = frame;
    run->pages[run->count] = page_at(frame);
    ++run->count;
}

// Claims frames for the pages that follow, as far as they are not in the pool.
void collect(Run *run, const LoadRequest &first, BlockNo wanted) {
    while (run->count < wanted) {
        const LoadRequest request = request_for(first, run->count);
        if (is_cached(request.tag, request.hash)) return;
        const FrameNo frame = claim_victim_at_once(request.ring);
        if (frame == kNoFrame) return;
        const Found found = insert_or_find(request, frame);
        // Asked only now, when whoever settles their copies finds our frame (pool.H4).
        const bool theirs = found.mine && has_core_copy(request.tag);
        if (theirs) finish_read(found.frame, false);
        if (!found.mine || theirs) {
            unpin_frame(found.frame);
            return;
        }
        add(run, found.frame);
    }
}

BlockNo read_from_file(const Run &run, const LoadRequest &request) {
    GH_STOP_POINT("buffer.run_read");
    IoTimer timer;
    const BlockNo done = storage::read_blocks(file_of(request.tag), fork_number(request.tag),
                                              request.tag.block, run.count, run.pages);
    GH_STOP_POINT("buffer.run_was_read");
    timer.stop(pg::shared_read_time(), counters(kind_of(request.ring)).read_us);
    if (track_io_timing) pg::count_read_time(timer.micros());
    return done;
}

// Publishes the pages behind the first; returns how many in a row are good.
BlockNo finish_followers(const Run &run, const LoadRequest &request, BlockNo done) {
    BlockNo good = 0;
    for (BlockNo i = 1; i < run.count; ++i) {
        const bool ok = i < done && is_sound(run.pages[i], fork_number(request.tag), request.tag.block + i);
        finish_read(run.frames[i], ok);
        unpin_frame(run.frames[i]);
        if (ok && good == i - 1) good = i;
    }
    return good;
}

}  // namespace

void read_run(FrameNo frame, const LoadRequest &request, ReadMode mode) {
    AccessRing *ring = request.ring;
    const BlockNo wanted = next_run_length(ring, request.tag);
    if (wanted <= 1 || any_in_two_pools() || has_core_copy(request.tag)) {
        (void)read_into(frame, request, mode);
        return;
    }
    Run run = {};
    add(&run, frame);
    collect(&run, request, wanted);
    // A page that went aside before it was claimed here went there under a mark.
    const BlockNo done = run.count > 1 && !any_in_two_pools() ? read_from_file(run, request) : 0;
    const BlockNo good = finish_followers(run, request, done);
    ring->ahead_from = request.tag.block + 1;
    ring->ahead_to = ring->ahead_from + good;
    ring->expected = ring->ahead_to;
    if (done == 0) {
        (void)read_into(frame, request, mode);
        return;
    }
    verify_page(page_at(frame), file_of(request.tag), pg::kNoBackend, fork_number(request.tag),
                request.tag.block, mode);
    finish_read(frame, true);
}

bool take_read_ahead(AccessRing *ring, BlockNo block) noexcept {
    if (block < ring->ahead_from || block >= ring->ahead_to) return false;
    ring->ahead_from = block + 1;
    return true;
}

}  // namespace glassheap::buffer
