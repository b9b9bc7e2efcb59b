// buffer/stats.cpp — see buffer/stats.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/stats.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/io.hpp"
#include "buffer/left_pages.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kPeekTries = 8;

void add(IoCounts *sum, const CounterSet &from) noexcept {
    constexpr auto kRelaxed = std::memory_order_relaxed;
    sum->reads += from.reads.load(kRelaxed);
    sum->writes += from.writes.load(kRelaxed);
    sum->writebacks += from.writebacks.load(kRelaxed);
    sum->extends += from.extends.load(kRelaxed);
    sum->hits += from.hits.load(kRelaxed);
    sum->evictions += from.evictions.load(kRelaxed);
    sum->reuses += from.reuses.load(kRelaxed);
    sum->read_us += from.read_us.load(kRelaxed);
    sum->write_us += from.write_us.load(kRelaxed);
    sum->extend_us += from.extend_us.load(kRelaxed);
}

void clear(CounterSet *set) noexcept {
    for (auto *counter : {&set->reads, &set->writes, &set->writebacks, &set->extends, &set->hits,
                          &set->evictions, &set->reuses, &set->read_us, &set->write_us, &set->extend_us})
        counter->store(0, std::memory_order_relaxed);
}

// Pins the frame's present page for a push; the tag in *tag.
bool pin_for_push(FrameNo frame) {
    if (frame < 0 || frame >= pool.frame_count) return false;
    reserve_pin();
    return pin_frame(frame, Warmth::none);
}

bool retire_pinned(FrameNo frame) noexcept {
    Frame &f = frame_at(frame);
    const std::uint32_t hash = hash_tag(f.tag);
    ::LWLockAcquire(partition_of(hash), LW_EXCLUSIVE);
    const bool retired = f.state.load().tagged() && f.state.try_retire();
    if (retired) {
        keep_summary(frame);
        remove_frame(frame, hash);
    }
    ::LWLockRelease(partition_of(hash));
    return retired;
}

PoolMode mode_of_pool() noexcept {
    if (::RecoveryInProgress()) return PoolMode::replay;
    return is_write_back() ? PoolMode::write_back : PoolMode::write_through;
}

int overdue_holder() noexcept {
    for (const HolderShared &holder : pool.shared->holders)
        if (holder.overdue) return holder.pid;
    return 0;
}

void read_veto(GuardianInfo *guardian) noexcept {
    PageTag failed = {};
    guardian->unwritable = is_left_veto_up(&failed);
    for (const HolderShared &holder : pool.shared->holders) {
        if (!holder.veto) continue;
        guardian->unwritable = true;
        failed = holder.failed;
    }
    guardian->failed_file = file_of(failed);
    guardian->failed_fork = fork_number(failed);
    guardian->failed_block = failed.block;
}

}  // namespace

int frame_count() noexcept {
    return pool.frame_count;
}

bool peek_frame(FrameNo frame, FrameInfo *info, bool with_lsn) noexcept {
    const Frame &f = frame_at(frame);
    for (int i = 0; i < kPeekTries; ++i) {
        const StateBits bits = f.state.load();
        if (!bits.tagged()) return false;
        const PageTag tag = f.tag;
        const Lsn lsn = with_lsn ? load_page_lsn(page_at(frame)) : 0;
        std::atomic_thread_fence(std::memory_order_acquire);
        if (!f.state.load().tagged() || !tag_seems(f, tag)) continue;
        *info = {
            .file = file_of(tag),
            .fork = fork_number(tag),
            .block = tag.block,
            .lsn = bits.valid() ? lsn : 0,
            .pins = static_cast<int>(bits.pins()),
            .last_victim_pass = f.victim_pass.load(std::memory_order_relaxed),
            .usage = static_cast<std::uint16_t>(bits.usage()),
            .dirty = bits.dirty(),
            .io_in_progress = bits.io(),
            .persistence =
                static_cast<char>(bits.permanent() ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED),
        };
        return true;
    }
    return false;
}

EvictResult evict_frame(FrameNo frame) {
    require_ready();
    EvictResult result = {false, false};
    // All pins of one backend are one shared pin: what a cursor of our own holds must not look unpinned.
    if (pg::pin_table.is_pinned(frame) || !pin_for_push(frame)) return result;
    Frame &f = frame_at(frame);
    if (f.state.load().pins() == 1 && f.state.load().dirty()) {
        ::LWLockAcquire(&f.latch, LW_SHARED);
        result.flushed = write_out(frame);
        ::LWLockRelease(&f.latch);
    }
    result.evicted = f.state.load().tagged() && retire_pinned(frame);
    if (result.evicted)
        free_held(frame);
    else
        unpin_frame(frame);
    return result;
}

DirtyResult mark_frame_dirty(FrameNo frame) {
    require_ready();
    DirtyResult result = {false, false};
    if (!pin_for_push(frame)) return result;
    const Frame &f = frame_at(frame);
    if (f.state.load().valid()) {
        const PinnedPage page = PoolAccess::adopt_shared(frame, f.tag.block);
        page.latch_share();
        result.already_dirty = f.state.load().dirty();
        // As a hint: the write to come may be torn, and a hint that follows would take the mark for its own.
        page.mark_dirty_hint();
        result.dirtied = !result.already_dirty && f.state.load().dirty();
        page.unlatch();
        return result;  // the destructor unpins
    }
    unpin_frame(frame);
    return result;
}

int frames_of(const pg::RelFile &file, FrameNo *frames, int capacity) noexcept {
    return collect_frames({file, -1, 0}, frames, capacity);
}

void read_io_counts(IoBackend backend, RingKind context, IoCounts *counts) noexcept {
    *counts = {};
    for (int i = 0; i < pool.process_count; ++i)
        add(counts, pool.processes[i].counts[static_cast<int>(backend)][static_cast<int>(context)]);
}

bool read_relation_io(const pg::RelFile &file, RelationIo *io) noexcept {
    const RelationCounters *at = relation_counters(file, false);
    if (at == nullptr) return false;
    *io = {.reads = at->reads.load(),
           .writes = at->writes.load(),
           .evictions = at->evictions.load(),
           .extends = at->extends.load()};
    return true;
}

void read_clock(ClockInfo *clock) noexcept {
    const PoolShared &shared = *pool.shared;
    const auto frames = static_cast<std::uint32_t>(pool.frame_count);
    const std::uint32_t used = std::min(shared.never_used.load(), frames);
    clock->hand = clock_hand();
    clock->passes = shared.clock.load() / frames;
    clock->allocations = shared.allocations.load();
    clock->victims = shared.victims.load();
    clock->free_frames = shared.free_count.load() + static_cast<int>(frames - used);
    clock->writer_ahead = shared.writer_ahead.load();
}

void read_writer(WriterInfo *writer) noexcept {
    const PoolShared &shared = *pool.shared;
    writer->pid = shared.holders[static_cast<int>(Holder::writer)].pid;
    writer->rounds = shared.writer_rounds.load();
    writer->pages_written = shared.writer_pages.load();
    writer->maxwritten_stops = shared.writer_stops.load();
    writer->last_round = shared.writer_last_round.load();
}

void read_guardian(GuardianInfo *guardian) noexcept {
    const PoolShared &shared = *pool.shared;
    guardian->pid = shared.holders[static_cast<int>(Holder::guardian)].pid;
    guardian->turns = shared.guardian_turns.load();
    guardian->flushes = shared.guardian_flushes.load();
    guardian->pages_written = shared.guardian_pages.load();
    guardian->write_us = shared.guardian_write_us.load();
    guardian->flushed_redo = shared.guardian_flushed_redo.load();
    guardian->last_turn = shared.guardian_last_turn.load();
    guardian->last_flush = shared.guardian_last_flush.load();
    guardian->mode = mode_of_pool();
    guardian->waiting_for = overdue_holder();
    read_veto(guardian);
}

TimestampTz stats_since() noexcept {
    return pool.shared->stats_since.load();
}

void reset_stats() noexcept {
    PoolShared &shared = *pool.shared;
    for (int i = 0; i < pool.process_count; ++i)
        for (auto &of_kind : pool.processes[i].counts)
            for (auto &set : of_kind) clear(&set);
    for (std::uint32_t i = 0; i < kRelationCounters; ++i) {
        RelationCounters &at = pool.relation_counters[i];
        for (auto *counter : {&at.reads, &at.writes, &at.evictions, &at.extends}) counter->store(0);
    }
    shared.writer_rounds = shared.writer_pages = shared.writer_stops = 0;
    shared.guardian_turns = shared.guardian_flushes = shared.guardian_pages = 0;
    shared.guardian_write_us = 0;
    reset_summary_counts();
    shared.stats_since.store(::GetCurrentTimestamp());
}

}  // namespace glassheap::buffer
