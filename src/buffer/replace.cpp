// buffer/replace.cpp — finding a frame for another page.
//
// Why:    clock sweep with usage counts, as PostgreSQL's pool does it; large scans recycle the frames of
//         their ring, freed frames come first.  Loads recycle only when no frame is free: what a load has
//         made is dirty, and writing it, with the WAL before it, is worth sparing others' pages only.
// Invariants: pool.V1 a victim is pinned (and in the pin table) before anything that may fail is done to it.
//         pool.V2 a page leaves the table only clean: pool.F3 makes sure that its write, with the queueing
//            for fsync, came first.
//         pool.V3 frames in hand beyond the page that is wanted (of NewFrames, of a run of reads) are taken
//            at once or not at all, and within fair_share(): all shares together are half of the pool.  So
//            nobody waits here for frames that wait for frames, and pins alone can use up the other half.
// Locking: takes a victim's latch only conditionally: the caller may hold latches of other pages.
// Errors: claim_victim may longjmp (I/O; ERRCODE_INSUFFICIENT_RESOURCES when everything is pinned, but not in
//         replay beside readers: recovery.K3).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/access_ring.hpp"
#include "buffer/checkpoint_turn.hpp"
#include "buffer/io.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/two_pools.hpp"
#include "debug/stop_points.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kPatienceRounds = 100;       // full turns that found everything pinned, before giving up
constexpr long kPatienceMicros = 10'000L;  // between them

FrameNo pop_free() noexcept {
    PoolShared &shared = *pool.shared;
    if (shared.free_count.load(std::memory_order_relaxed) == 0) return kNoFrame;
    SpinLockAcquire(&shared.free_lock);
    const FrameNo frame = shared.free_head;
    if (frame != kNoFrame) {
        Frame &f = frame_at(frame);
        shared.free_head = f.free_next;
        f.in_free_list = false;
        shared.free_count.fetch_sub(1, std::memory_order_relaxed);
    }
    SpinLockRelease(&shared.free_lock);
    return frame;
}

// Free frames first: given back, then never used.  They may have been claimed by the sweep meanwhile.
FrameNo claim_free() noexcept {
    for (FrameNo frame = pop_free(); frame != kNoFrame; frame = pop_free())
        if (!frame_at(frame).state.load().tagged() && frame_at(frame).state.try_claim(0)) return frame;
    std::atomic<std::uint32_t> &never_used = pool.shared->never_used;
    while (never_used.load(std::memory_order_relaxed) < static_cast<std::uint32_t>(pool.frame_count)) {
        const auto frame = static_cast<FrameNo>(never_used.fetch_add(1, std::memory_order_relaxed));
        if (frame >= pool.frame_count) break;
        if (frame_at(frame).state.try_claim(0)) return frame;
    }
    return kNoFrame;
}

FrameNo sweep_once() noexcept {
    int pinned_in_a_row = 0;
    while (pinned_in_a_row < pool.frame_count) {
        const std::uint64_t tick = pool.shared->clock.fetch_add(1, std::memory_order_relaxed);
        const auto frame = static_cast<FrameNo>(tick % static_cast<std::uint64_t>(pool.frame_count));
        Frame &f = frame_at(frame);
        if (f.state.sweep()) return frame;
        pinned_in_a_row = f.state.load().pins() != 0 ? pinned_in_a_row + 1 : 0;
    }
    return kNoFrame;
}

void rest_between_rounds() {
    ::pgstat_report_wait_start(PG_WAIT_BUFFER_PIN);
    ::pg_usleep(kPatienceMicros);
    ::pgstat_report_wait_end();
    CHECK_FOR_INTERRUPTS();
}

// Replay beside readers does not give up, for its error would end the server.  It has no latch here
// (RoomInRedo; but others may throw out the page that was pinned for it): who waits for a latch could neither
// go on nor be cancelled.
bool may_wait_for_readers() noexcept {
    return InHotStandby && InterruptHoldoffCount == 0;
}

FrameNo sweep() {
    TimestampTz since = 0;
    bool logged = false;
    for (int round = 0;; ++round) {
        const FrameNo frame = sweep_once();
        if (frame != kNoFrame) return frame;
        if (round == 0) since = ::GetCurrentTimestamp();
        const bool patient = round < kPatienceRounds;
        if (!patient && !may_wait_for_readers()) break;
        if (!patient) end_pins_in_recovery(since, &logged);
        rest_between_rounds();
        if (!patient) round = kPatienceRounds - 1;
    }
    ereport(
        ERROR,
        (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("no unpinned page available in glassheap's pool"),
         errdetail("All %d pages are in use.", pool.frame_count), errhint("Increase glassheap.buffers.")));
}

// The ring goes on by one slot; its frame is claimed unless there is a `found` one to take its place.
FrameNo turn_ring(AccessRing *ring, FrameNo found) noexcept {
    ring->at = ring->at + 1 < ring->size ? ring->at + 1 : 0;
    ring->reused_last = false;
    if (found != kNoFrame) return found;
    const FrameNo frame = ring->frames[ring->at];
    ring->reused_last = frame != kNoFrame && frame_at(frame).state.try_claim(1);
    return ring->reused_last ? frame : kNoFrame;
}

enum class Patience : std::uint8_t { none, some };

// An unpinned frame, now pinned by this process.  kNoFrame only without patience.
FrameNo claim_candidate(AccessRing *ring, Patience patience) {
    FrameNo frame = kNoFrame;
    const bool free_first = kind_of(ring) == RingKind::bulk_write;
    if (free_first) frame = claim_free();
    if (ring != nullptr) frame = turn_ring(ring, frame);
    if (frame == kNoFrame && !free_first) frame = claim_free();
    if (frame == kNoFrame) frame = patience == Patience::some ? sweep() : sweep_once();
    if (frame == kNoFrame) return frame;
    if (ring != nullptr) ring->frames[ring->at] = frame;
    enter_first_pin(frame);
    return frame;
}

// A large scan does not wait for the WAL: it leaves the page to others.
bool ring_rejects(AccessRing *ring, FrameNo frame) noexcept {
    if (ring == nullptr || ring->kind != RingKind::bulk_read || !ring->reused_last) return false;
    if (!frame_at(frame).state.load().permanent()) return false;
    if (!::XLogNeedsFlush(load_page_lsn(page_at(frame)))) return false;
    ring->frames[ring->at] = kNoFrame;
    return true;
}

// False: choose another one.
bool clean_candidate(FrameNo frame, AccessRing *ring) {
    static WritebackRun written;
    Frame &f = frame_at(frame);
    if (!f.state.load().dirty()) return true;
    if (!::LWLockConditionalAcquire(&f.latch, LW_SHARED)) return false;
    if (ring_rejects(ring, frame)) {
        ::LWLockRelease(&f.latch);
        return false;
    }
    const PageTag tag = f.tag;
    const bool wrote = write_out(frame, kind_of(ring), Reader::leave);
    ::LWLockRelease(&f.latch);
    if (wrote) written.add(tag, backend_flush_after);
    if (!f.state.load().dirty()) return true;
    // Somebody reads it into shared_buffers: a ring of such frames would be gone round for ever.
    if (ring != nullptr) ring->frames[ring->at] = kNoFrame;
    return false;
}

void count_eviction(const PageTag &tag, Frame &f, AccessRing *ring) noexcept {
    CounterSet &mine = counters(kind_of(ring));
    count(ring != nullptr && ring->reused_last ? mine.reuses : mine.evictions);
    pool.shared->victims.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t passes =
        pool.shared->clock.load(std::memory_order_relaxed) / static_cast<std::uint64_t>(pool.frame_count);
    f.victim_pass.store(static_cast<std::uint32_t>(passes) + 1, std::memory_order_relaxed);
    if (RelationCounters *io = relation_counters(file_of(tag), false))
        io->evictions.fetch_add(1, std::memory_order_relaxed);
}

// Takes the clean candidate out of the page table.  False: somebody pinned or dirtied it.
bool retire(FrameNo frame, AccessRing *ring) noexcept {
    Frame &f = frame_at(frame);
    if (!f.state.load().tagged()) {
        // Nobody can find an untagged frame; it may have been doomed while we had the pin.
        return f.state.load().word == 1;
    }
    const PageTag tag = f.tag;
    const std::uint32_t hash = hash_tag(tag);
    ::LWLockAcquire(partition_of(hash), LW_EXCLUSIVE);
    const StateBits seen = f.state.load();
    const bool retired = seen.tagged() && f.state.try_retire();
    GH_ASSERT(!retired || !seen.usable() || f.base_lsn.load() == f.disk_lsn.load() ||
              fork_number(tag) == FSM_FORKNUM || is_in_two_pools(file_of(tag)));
    if (retired) {
        keep_summary(frame);
        remove_frame(frame, hash);
    }
    ::LWLockRelease(partition_of(hash));
    if (retired) count_eviction(tag, f, ring);
    return retired;
}

// The pool writer sleeps for long while nobody asks for frames.
void wake_writer() noexcept {
    if (pool.shared->writer_rests.exchange(false)) wake_holder(Holder::writer);
}

FrameNo claim(AccessRing *ring, Patience patience) {
    reserve_pin();
    pool.shared->allocations.fetch_add(1);
    if (pool.shared->writer_rests.load()) [[unlikely]]
        wake_writer();
    for (;;) {
        const FrameNo frame = claim_candidate(ring, patience);
        if (frame == kNoFrame) return frame;
        GH_STOP_POINT("buffer.victim_claimed");
        if (clean_candidate(frame, ring) && retire(frame, ring)) return frame;
        unpin_frame(frame);
        CHECK_FOR_INTERRUPTS();
    }
}

}  // namespace

FrameNo claim_victim(AccessRing *ring) {
    return claim(ring, Patience::some);
}

FrameNo claim_victim_at_once(AccessRing *ring) {
    return claim(ring, Patience::none);
}

BlockNo fair_share() noexcept {
    return static_cast<BlockNo>(pool.frame_count / (2 * std::max(pool.process_count, 1)));
}

void push_free(FrameNo frame) noexcept {
    PoolShared &shared = *pool.shared;
    Frame &f = frame_at(frame);
    SpinLockAcquire(&shared.free_lock);
    if (!f.in_free_list) {
        f.in_free_list = true;
        f.free_next = shared.free_head;
        shared.free_head = frame;
        shared.free_count.fetch_add(1, std::memory_order_relaxed);
    }
    SpinLockRelease(&shared.free_lock);
}

void free_held(FrameNo frame) noexcept {
    GH_ASSERT(frame_at(frame).state.load().word == 1);
    unpin_frame(frame);
    push_free(frame);
}

FrameNo clock_hand() noexcept {
    const std::uint64_t tick = pool.shared->clock.load(std::memory_order_relaxed);
    return static_cast<FrameNo>(tick % static_cast<std::uint64_t>(pool.frame_count));
}

}  // namespace glassheap::buffer
