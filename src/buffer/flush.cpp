// buffer/flush.cpp — see buffer/flush.hpp.
//
// Why:    files are written front to back, and neighbours are pushed to the disk together.
// Invariants: pool.W1 a frame found clean is done: DIRTY goes only after its write was queued for fsync.
//         pool.W2 a frame found dirty is written by this call or by the one whose I/O it waits for; or it is
//            passed over, because somebody reads the page into shared_buffers, and the caller is told.
// Locking: one pin and one share latch at a time; the caller holds no page latch.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/flush.hpp"

#include "buffer/io.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/partner_watch.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"

namespace glassheap::buffer {

namespace {

// Sorting space; the small one serves when there is no memory for a large one.
constexpr std::size_t kSmallSpace = 256;
constinit FrameAndTag small_space[kSmallSpace] = {};
constinit FrameAndTag *kept_space = nullptr;

struct Space {
    FrameAndTag *entries;
    std::size_t capacity;
    bool allocated;
};

Space get_space(std::size_t wanted) noexcept {
    if (kept_space != nullptr) return {kept_space, static_cast<std::size_t>(pool.frame_count), false};
    if (wanted <= kSmallSpace || CritSectionCount > 0) return {small_space, kSmallSpace, false};
    auto *entries = static_cast<FrameAndTag *>(
        ::palloc_extended(wanted * sizeof(FrameAndTag), MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM));
    if (entries == nullptr) return {small_space, kSmallSpace, false};
    return {entries, wanted, true};
}

void free_space(const Space &space) noexcept {
    if (space.allocated) ::pfree(space.entries);
}

void sort_by_place(FrameAndTag *entries, std::size_t count) noexcept {
    std::sort(entries, entries + count,
              [](const FrameAndTag &a, const FrameAndTag &b) { return a.tag < b.tag; });
}

constinit PageTag last_tried = {};

// The first pages that this process' last flush has passed over.
constexpr std::size_t kPassedMax = 64;
constinit FrameAndTag passed[kPassedMax] = {};
constinit std::size_t passed_count = 0;

// Those that were passed over come to the front.
Flushed flush_sorted(FrameAndTag *entries, std::size_t count, int flush_after, Reader reader) {
    WritebackRun run;
    Flushed result = {0, 0};
    sort_by_place(entries, count);
    for (std::size_t i = 0; i < count; ++i) {
        const PageFlush done = flush_page(entries[i], reader);
        if (done == PageFlush::passed) entries[result.passed++] = entries[i];
        if (done != PageFlush::written) continue;
        ++result.written;
        note_progress();
        run.add(entries[i].tag, flush_after);
    }
    run.issue();
    return result;
}

// The same, of a part of what is to be flushed.
void flush_part(FrameAndTag *entries, std::size_t count, int flush_after, Reader reader, Flushed *total) {
    const Flushed done = flush_sorted(entries, count, flush_after, reader);
    for (std::size_t i = 0; i < done.passed && total->passed + i < kPassedMax; ++i)
        passed[total->passed + i] = entries[i];
    total->written += done.written;
    passed_count = total->passed += done.passed;
}

// The tag is read without a pin; flush_page compares it again under one.  A frame whose page changed in
// between needs nothing: the page that was dirty here has been written (pool.V2 of replace.cpp), and the one
// that came was clean.
bool is_dirty(FrameNo frame, FrameAndTag *entry) noexcept {
    const Frame &f = frame_at(frame);
    const StateBits bits = f.state.load();
    if (!bits.dirty() || !bits.tagged()) return false;
    *entry = {f.tag, frame};
    return f.state.load().tagged();
}

std::size_t count_dirty() noexcept {
    std::size_t count = 0;
    for (FrameNo i = 0; i < pool.frame_count; ++i)
        if (frame_at(i).state.load().dirty()) ++count;
    return count;
}

template <typename Wanted>
Flushed flush_matching(int flush_after, Reader reader, Wanted wanted) {
    const Space space = get_space(count_dirty() + 64);
    Flushed total = {0, 0};
    FrameNo next = 0;
    while (next < pool.frame_count) {
        std::size_t filled = 0;
        for (; next < pool.frame_count && filled < space.capacity; ++next) {
            FrameAndTag &entry = space.entries[filled];
            if (is_dirty(next, &entry) && wanted(entry.tag)) ++filled;
        }
        flush_part(space.entries, filled, flush_after, reader, &total);
    }
    free_space(space);
    return total;
}

// The chain may grow between counting and collecting; what does not fit is walked for.
void flush_range(const TagRange &range) {
    constexpr std::size_t kSlack = 256;
    const Space space = get_space(collect_relation(range, nullptr, 0) + kSlack);
    const std::size_t count = collect_relation(range, space.entries, space.capacity);
    if (count <= space.capacity) flush_sorted(space.entries, count, 0, Reader::wait);
    free_space(space);
    if (count > space.capacity)
        flush_matching(0, Reader::wait, [&range](const PageTag &tag) { return range.contains(tag); });
}

}  // namespace

PageTag last_tried_page() noexcept {
    return last_tried;
}

void forget_last_tried() noexcept {
    last_tried = {};
}

void note_tried_page(const PageTag &tag) noexcept {
    last_tried = tag;
}

bool find_dirty_page(PageTag *tag) noexcept {
    FrameAndTag entry;
    for (FrameNo i = 0; i < pool.frame_count; ++i) {
        if (!is_dirty(i, &entry)) continue;
        *tag = entry.tag;
        return true;
    }
    return false;
}

bool find_undecided_page(PageTag *tag) noexcept {
    FrameAndTag entry;
    for (FrameNo i = 0; i < pool.frame_count; ++i) {
        if (!is_dirty(i, &entry) || !frame_at(i).state.load().left()) continue;
        if (is_in_two_pools(file_of(entry.tag))) continue;
        *tag = entry.tag;
        return true;
    }
    return false;
}

// A page that a hint has dirtied anew may be passed over, too.
PageFlush flush_page(const FrameAndTag &entry, Reader reader) {
    reserve_pin();
    if (!pin_frame(entry.frame, Warmth::none)) return PageFlush::nothing;
    Frame &f = frame_at(entry.frame);
    PageFlush done = PageFlush::nothing;
    if (f.tag == entry.tag && f.state.load().dirty()) {
        last_tried = entry.tag;
        ::LWLockAcquire(&f.latch, LW_SHARED);
        const bool wrote = write_out(entry.frame, RingKind::none, reader);
        if (wrote)
            done = PageFlush::written;
        else if (reader == Reader::leave && f.state.load().dirty())
            done = PageFlush::passed;
        ::LWLockRelease(&f.latch);
    }
    unpin_frame(entry.frame);
    return done;
}

void prepare_flush_space() {
    if (kept_space != nullptr) return;
    kept_space = static_cast<FrameAndTag *>(::MemoryContextAllocHuge(
        TopMemoryContext, static_cast<std::size_t>(pool.frame_count) * sizeof(FrameAndTag)));
}

Flushed flush_every_dirty(int flush_after, Reader reader) {
    return flush_matching(flush_after, reader, [](const PageTag &) { return true; });
}

Flushed flush_passed_over(int flush_after) {
    if (passed_count > kPassedMax) return flush_every_dirty(flush_after, Reader::leave);
    Flushed total = {0, 0};
    flush_part(passed, passed_count, flush_after, Reader::leave, &total);
    return total;
}

PageTag first_passed_over() noexcept {
    return passed_count > 0 ? passed[0].tag : PageTag{};
}

TrickleResult trickle(int ahead, int limit, int flush_after) {
    TrickleResult result = {0, 0, false};
    const Space space = get_space(static_cast<std::size_t>(std::max(limit, 1)));
    const std::size_t most = std::min(space.capacity, static_cast<std::size_t>(std::max(limit, 0)));
    std::size_t filled = 0;
    FrameNo at = clock_hand();
    for (int i = 0; i < std::min(ahead, pool.frame_count); ++i) {
        const StateBits bits = frame_at(at).state.load();
        if (bits.pins() == 0 && bits.usage() == 0) {
            ++result.reusable;
            if (filled < most && is_dirty(at, &space.entries[filled])) ++filled;
            result.hit_limit = filled == most;
        }
        at = at + 1 < pool.frame_count ? at + 1 : 0;
    }
    result.written = flush_sorted(space.entries, filled, flush_after, Reader::leave).written;
    free_space(space);
    return result;
}

void flush_relation(const pg::OwnedFile &owned) {
    require_ready();
    if (owned.is_temp())
        local_flush(owned);
    else
        flush_range({owned.file, -1, 0});
}

void flush_database(Oid database) {
    require_ready();
    flush_matching(0, Reader::wait, [database](const PageTag &tag) { return tag.database == database; });
}

void flush_all() {
    require_ready();
    flush_every_dirty(0, Reader::wait);
}

}  // namespace glassheap::buffer
