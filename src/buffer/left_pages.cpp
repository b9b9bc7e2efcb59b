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
#include "pg/pg_veto.hpp"

namespace glassheap::buffer {

namespace {

constexpr long kRetryMs = 1'000;    // of all left pages, while no checkpoint asks
constexpr long kRepeatMs = 5'000;   // of a message about the same page
constexpr int kCleanTries = 1'000;  // milliseconds, while the checkpointer fails to write the veto's page

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

// Every change of a page on a disk that fails would fill the log.
struct Told {
    PageTag tag;
    std::int64_t when;
};
constinit Told told = {};

pg::Telling telling_of(const PageTag &tag) noexcept {
    const bool is_news = !(told.tag == tag) || pg::monotonic_ms() - told.when >= kRepeatMs;
    return is_news ? pg::Telling::log : pg::Telling::nothing;
}

// False: it is dirty as before, or (Written::undecided, WriteTo::later) has to be written again.
bool try_to_write(FrameNo frame, Reader reader) noexcept {
    const Frame &f = frame_at(frame);
    const pg::Telling telling = telling_of(f.tag);
    if (pg::run_caught([frame, reader] { write_out(frame, RingKind::none, reader); }, telling))
        return !f.state.load().left();
    abort_io_claims();
    if (telling == pg::Telling::log) told = {f.tag, pg::monotonic_ms()};
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

bool write_all_that_are_free() noexcept {
    for (FrameNo i = 0; i < pool.frame_count; ++i)
        if (!write_if_free(i)) return false;
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

void write_through(FrameNo frame) noexcept {
    if (!is_prepared()) {
        START_CRIT_SECTION();
        write_out(frame);
        END_CRIT_SECTION();
        return;
    }
    // In somebody's critical section an error would be a PANIC, so others have to write it.
    if (CritSectionCount == 0 && try_to_write(frame, Reader::wait)) return;
    frame_at(frame).state.note_left();
    raise(frame_at(frame).tag);
}

void write_left_pages() noexcept {
    if (!is_left_veto_up() || CritSectionCount > 0 || !is_try_due()) return;
    const std::uint32_t calls = pool.shared->checkpoint_calls.load();
    if (write_all_that_are_free()) {
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
    ereport(LOG_SERVER_ONLY,
            (errmsg("glassheap has written all dirty pages; checkpoints can complete again")));
}

}  // namespace glassheap::buffer
