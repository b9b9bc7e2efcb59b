// buffer/left_pages.cpp — see buffer/left_pages.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/left_pages.hpp"

#include "buffer/checkpoint_veto.hpp"
#include "buffer/flush.hpp"
#include "buffer/io.hpp"
#include "buffer/pool_internal.hpp"
#include "pg/caught.hpp"
#include "pg/clock.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_veto.hpp"

extern "C" {
#include "storage/ipc.h"
}

namespace glassheap::buffer {

namespace {

constexpr long kRetryMs = 1'000;    // of all left pages, while no checkpoint asks
constexpr long kRepeatMs = 5'000;   // of the message why one could not be written
constexpr int kCleanTries = 1'000;  // milliseconds, while the checkpointer fails to write the veto's page
constexpr int kPagesAtOnce = 64;    // of what was left, while the caller has latches

LeftPages &left() noexcept {
    return pool.shared->left;
}

bool is_prepared() noexcept {
    return left().veto_page.load() != InvalidBuffer;
}

void raise(const PageTag &failed) noexcept {
    LeftPages &l = left();
    ::LWLockAcquire(&l.lock, LW_EXCLUSIVE);
    l.failed = failed;
    l.raised.fetch_add(1);
    l.veto.store(true);
    pg::dirty_for_nobody(l.veto_page.load());
    ::LWLockRelease(&l.lock);
}

void leave(FrameNo frame) noexcept {
    frame_at(frame).state.note_left();
    raise(frame_at(frame).tag);
}

// Every change of a page on a disk that fails would fill the log, which may be on that disk.
pg::Telling telling() noexcept {
    const std::int64_t told = left().told.load();
    const bool is_news = told == 0 || pg::monotonic_ms() - told >= kRepeatMs;
    return is_news ? pg::Telling::log : pg::Telling::nothing;
}

// False: it is dirty as before, or (Written::undecided, WriteTo::later) has to be written again.
bool try_to_write(FrameNo frame, Reader reader) noexcept {
    const pg::Telling how = telling();
    if (pg::run_caught([frame, reader] { write_out(frame, RingKind::none, reader); }, how))
        return !frame_at(frame).state.load().left();
    abort_io_claims();
    if (how == pg::Telling::log) left().told.store(pg::monotonic_ms());
    return false;
}

// True: nothing is left in this frame.
bool write_if_free(FrameNo frame) noexcept {
    Frame &f = frame_at(frame);
    if (!f.state.load().left()) return true;
    if (!pg::run_caught([] { reserve_pin(); })) return false;
    if (!pin_frame(frame, Warmth::none)) return true;
    bool done = false;
    if (::LWLockConditionalAcquire(&f.latch, LW_SHARED)) {
        const StateBits bits = f.state.load();
        done = !bits.left() || (!bits.io() && try_to_write(frame, Reader::leave));
        ::LWLockRelease(&f.latch);
    }
    unpin_frame(frame);
    return done;
}

bool is_try_due() noexcept {
    return left().calls.load() != pool.shared->checkpoint_calls.load() ||
           pg::monotonic_ms() - left().tried.load() >= kRetryMs;
}

bool try_to_clean() noexcept {
    const Buffer page = left().veto_page.load();
    for (int i = 0; !pg::try_clean_without_writing(page); ++i) {
        if (i == kCleanTries) return false;
        ::pg_usleep(1'000L);
    }
    return true;
}

// False: one is left that was tried, or that others have latched.
bool write_some_that_are_free(int limit) noexcept {
    for (FrameNo i = 0; i < pool.frame_count && limit > 0; ++i) {
        if (!frame_at(i).state.load().left()) continue;
        if (!write_if_free(i)) return false;
        --limit;
    }
    return true;
}

// The one that is known is looked at first: it spares the walk.
bool are_any_left() noexcept {
    PageTag failed = {};
    if (!is_left_veto_up(&failed)) return false;
    const FrameNo known = find_frame(failed, hash_tag(failed));
    if (known != kNoFrame && frame_at(known).state.load().left()) return true;
    for (FrameNo i = 0; i < pool.frame_count; ++i)
        if (frame_at(i).state.load().left()) return true;
    return false;
}

// With an owner of its own: what an error leaves pinned must go, and the caller's transaction goes on.
void prepare_left_veto_quietly() noexcept {
    static ResourceOwner owner = nullptr;
    if (is_prepared() || CritSectionCount > 0) return;
    const bool done = pg::run_caught([] {
        if (owner == nullptr) owner = ::ResourceOwnerCreate(nullptr, "glassheap veto");
        ResourceOwner outer = std::exchange(CurrentResourceOwner, owner);
        prepare_left_veto();
        CurrentResourceOwner = outer;
    });
    if (!done && owner != nullptr) ::ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
}

void write_or_leave(FrameNo frame) noexcept {
    if (!is_prepared()) {
        START_CRIT_SECTION();
        write_out(frame);
        END_CRIT_SECTION();
        return;
    }
    // In somebody's critical section an error would be a PANIC, so others have to write it.
    if (CritSectionCount > 0 || !try_to_write(frame, Reader::wait)) leave(frame);
}

// What an interrupted piece of work has of ours and of core's buffers.
void give_up_io() noexcept {
    ::LWLockReleaseAll();
    abort_io_claims();
    pg::release_core_buffers();
}

// A FATAL between the end of the critical section and the veto: the flag is still up, the pages are pinned.
struct Pages {
    const FrameNo *frames;
    int count;
};
extern "C" void glassheap_leave_pages(int code, Datum pages) {
    (void)code;
    give_up_io();
    const auto *all = reinterpret_cast<const Pages *>(DatumGetPointer(pages));
    if (!is_prepared()) ereport(PANIC, (errmsg("glassheap: a process ended in the middle of a change")));
    for (int i = 0; i < all->count; ++i)
        if (frame_at(all->frames[i]).state.load().dirty()) leave(all->frames[i]);
}

}  // namespace

void prepare_left_veto() {
    if (is_prepared()) return;
    const Buffer page = read_veto_page(kLeftVetoPage);  // the same one for all who come at once
    ::LockBuffer(page, BUFFER_LOCK_UNLOCK);
    ::LWLockAcquire(&left().lock, LW_EXCLUSIVE);
    if (!is_prepared()) {
        pg::pin_for_nobody(page);
        left().veto_page.store(page);
    }
    ::LWLockRelease(&left().lock);
    ::ReleaseBuffer(page);
}

void end_critical_and_write(const FrameNo *frames, int count) noexcept {
    Pages pages = {frames, count};
    ::before_shmem_exit(glassheap_leave_pages, PointerGetDatum(&pages));
    END_CRIT_SECTION();
    prepare_left_veto_quietly();
    for (int i = 0; i < count; ++i) write_or_leave(frames[i]);
    ::cancel_before_shmem_exit(glassheap_leave_pages, PointerGetDatum(&pages));
}

void write_left_pages() noexcept {
    if (!is_left_veto_up() || CritSectionCount > 0 || !is_try_due()) return;
    const std::uint32_t calls = pool.shared->checkpoint_calls.load();
    if (write_some_that_are_free(kPagesAtOnce)) {
        lower_left_veto_if_none();
        return;
    }
    left().calls.store(calls);
    left().tried.store(pg::monotonic_ms());
}

bool is_left_veto_up(PageTag *failed) noexcept {
    if (!left().veto.load()) return false;
    if (failed != nullptr) *failed = left().failed;
    return true;
}

void lower_left_veto_if_none() noexcept {
    LeftPages &l = left();
    if (!l.veto.load()) return;
    const std::uint32_t raised = l.raised.load();
    if (are_any_left()) return;
    ::LWLockAcquire(&l.lock, LW_EXCLUSIVE);
    const bool lowers = l.veto.load() && l.raised.load() == raised && try_to_clean();
    if (lowers) l.veto.store(false);
    ::LWLockRelease(&l.lock);
    if (!lowers) return;
    HOLD_INTERRUPTS();  // for callers that no interrupt may end
    ereport(LOG_SERVER_ONLY,
            (errmsg("glassheap has written all dirty pages; checkpoints can complete again")));
    RESUME_INTERRUPTS();
}

}  // namespace glassheap::buffer
