// buffer/forget.cpp — pages of files that are going away.
//
// Why:    a page of an unlinked file must never be written: it would queue an fsync for a missing file, which
//         is a PANIC in the checkpointer.
// Invariants: pool.G1 when a forget returns, no frame holds a forgotten page, and no write of one is in
//         progress.
//         pool.G2 frames still pinned (an aborting transaction's own pins; readers of an outdated page) are
//         doomed: unreachable, never written,
//            free at their last unpin.
//         pool.G3 the time is linear in the cached pages of the relation (and its neighbours in their chain):
//            it may be spent in a critical section, or with checkpoints held off.  And in its extents, while
//            any has summaries (pool.K4).
// Errors: never longjmps, allocates nothing: it runs in commit and abort callbacks.
// Model:  doc/design/models/drop.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/flush.hpp"
#include "buffer/hand_over.hpp"
#include "buffer/io.hpp"
#include "buffer/left_pages.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_buffers.hpp"

namespace glassheap::buffer {

namespace {

// Small in builds with checks, so that tests need no large pool to see pool.G3.
constexpr std::size_t kBatch = kChecks >= 1 ? 64 : 1024;
constinit FrameAndTag batch[kBatch] = {};

// Takes the page out of the pool, if it is still there, in this frame.
bool forget_page(const FrameAndTag &entry) noexcept {
    const std::uint32_t hash = hash_tag(entry.tag);
    Frame &f = frame_at(entry.frame);
    for (;;) {
        ::LWLockAcquire(partition_of(hash), LW_EXCLUSIVE);
        if (!(f.tag == entry.tag) || !f.state.load().tagged()) {
            ::LWLockRelease(partition_of(hash));
            return false;
        }
        const Doom doom = f.state.doom();
        if (doom != Doom::busy) remove_frame(entry.frame, hash);
        ::LWLockRelease(partition_of(hash));
        if (doom == Doom::busy) {
            wait_for_io_quietly(entry.frame);
            continue;
        }
        if (doom == Doom::held) {
            // One pin, ours, but not in the pin table.
            f.state.reset();
            push_free(entry.frame);
        }
        return true;
    }
}

void forget_range(const TagRange &range) noexcept {
    abort_io_claims();  // an error brought us here: our own I/O must not be waited for
    std::size_t walked = 0;
    for (bool first = true;; first = false) {
        const Batch found = collect_batch(range, batch, kBatch);
        for (std::size_t i = 0; i < found.count; ++i) forget_page(batch[i]);
        walked += found.walked;
        if (found.count < kBatch) break;
        if (first) walked += bring_to_front(range);
    }
    GH_ASSERT(walked <= 4 * static_cast<std::size_t>(pool.frame_count));
}

bool is_dirty(const FrameAndTag &entry) noexcept {
    const Frame &f = frame_at(entry.frame);
    return f.state.load().dirty() && f.tag == entry.tag;
}

// Replay: the page was written, but somebody on the standby holds an older copy, from which core would go on,
// or which core would write over ours.
void outlast_old_copy(const FrameAndTag &entry) {
    while (is_dirty(entry)) {
        GH_STOP_POINT("buffer.old_copy_awaited");
        pg::wait_for_core_pins({file_of(entry.tag), fork_number(entry.tag), entry.tag.block});
        flush_page(entry);
    }
}

}  // namespace

void forget_relation(const pg::OwnedFile &owned) noexcept {
    if (!is_ready()) return;
    if (owned.is_temp()) {
        local_forget(owned, -1, 0);
        return;
    }
    forget_range({owned.file, -1, 0});
    forget_summaries(owned.file);
    drop_relation_counters(owned.file);
    unmark_two_pools(owned.file);
    lower_left_veto_if_none();
}

void part_with_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) {
    const PageTag tag = make_tag(file, fork, block);
    const std::uint32_t hash = hash_tag(tag);
    const FrameNo frame = find_frame(tag, hash);
    if (frame == kNoFrame) return;
    note_meeting(file);
    flush_page({tag, frame});
    outlast_old_copy({tag, frame});
    forget_page({tag, frame});
}

void flush_database_for_core(Oid database) {
    if (!is_ready()) return;
    flush_database(database);
    for (FrameNo i = 0; i < pool.frame_count; ++i) {
        const FrameAndTag entry = {frame_at(i).tag, i};
        if (entry.tag.database != database || !is_dirty(entry)) continue;
        flush_page(entry);  // perhaps dirty by a hint since
        outlast_old_copy(entry);
    }
}

void drop_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    const PageTag tag = make_tag(file, fork, block);
    const FrameNo frame = find_frame(tag, hash_tag(tag));
    if (frame != kNoFrame) forget_page({tag, frame});
}

void drop_met_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    const PageTag tag = make_tag(file, fork, block);
    const FrameNo frame = find_frame(tag, hash_tag(tag));
    if (frame == kNoFrame) return;
    note_meeting(file);
    forget_page({tag, frame});
}

bool drop_frame(FrameNo frame) noexcept {
    return forget_page({frame_at(frame).tag, frame});
}

void forget_from(const pg::OwnedFile &owned, ForkNumber fork, BlockNo first) noexcept {
    if (!is_ready()) return;
    if (owned.is_temp()) {
        local_forget(owned, fork, first);
        return;
    }
    forget_range({owned.file, fork, first});
    lower_left_veto_if_none();
}

void forget_database(Oid database, Oid tablespace) noexcept {
    if (!is_ready()) return;
    abort_io_claims();
    for (FrameNo i = 0; i < pool.frame_count; ++i) {
        const Frame &f = frame_at(i);
        if (!f.state.load().tagged()) continue;
        const FrameAndTag entry = {f.tag, i};
        if (entry.tag.database != database) continue;
        if (OidIsValid(tablespace) && entry.tag.space != tablespace) continue;
        forget_page(entry);
    }
    forget_summaries_of(database, tablespace);
    lower_left_veto_if_none();
}

}  // namespace glassheap::buffer
