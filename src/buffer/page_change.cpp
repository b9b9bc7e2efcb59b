// buffer/page_change.cpp — marking pages dirty, and changing them safely while nobody guards checkpoints.
//
// Why:    a page changed before a checkpoint's redo pointer must be written before that checkpoint ends.  In
//         write-back mode the guardians see to it; in write-through mode the writer holds the checkpoint
//         off by itself until it has written the page, or its veto is up (left_pages).
// Invariants: pool.D1 dirty is set before the record is inserted, and before the mode is read (full barrier):
//            the writer sees write-through, or the holder that leaves sees the dirty page.
//         pool.D2 a page that a hint leaves dirty, and whose torn write would be noticed (checksums), has an
//            image behind the redo pointer of every checkpoint that will not write it: the dirty mark before
//            the checkpoint's flush, or the image behind its redo pointer.  DIRTY with JUST_DIRTIED is such a
//            mark: no write has begun since, so the one to come takes the hint along.  DIRTY alone is a
//            write in progress (or one that failed), whose copy may lack the hint: the hint dirties anew.
// Errors: none gets out.  A write that fails in write-through mode leaves the page dirty, under a veto.
// WAL:    none of its own, but hint images through the registered logger.
// Model:  doc/design/models/writeback.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/core_copies.hpp"
#include "buffer/left_pages.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/verify.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_process.hpp"
#include "pg/pg_usage.hpp"

namespace glassheap::buffer {

namespace {

constinit HintImageLogger hint_logger = nullptr;

ForkRef fork_of_frame(const Frame &f) noexcept {
    const char persistence = f.state.load().permanent() ? RELPERSISTENCE_PERMANENT : RELPERSISTENCE_UNLOGGED;
    return {{file_of(f.tag), pg::kNoBackend}, fork_number(f.tag), persistence};
}

bool hint_needs_image(const Frame &f) {
    return XLogHintBitIsNeeded() && f.state.load().permanent();
}

// Logs an image of the page if its last one is not behind the redo pointer.
void log_image_if_needed(Frame &f, char *page, Lsn redo) {
    alignas(8) static char copy[page::kPageSize];
    const Lsn before = load_page_lsn(page);
    if (before > redo) return;
    std::memcpy(copy, page, page::kPageSize);
    const Lsn lsn = hint_logger(fork_of_frame(f), f.tag.block, copy);
    if (lsn == kInvalidLsn) return;
    // Nothing but hints since it was read or written: no change of rows (core_copies).
    if (before <= f.base_lsn.load(std::memory_order_relaxed) ||
        before == f.hint_lsn.load(std::memory_order_relaxed))
        f.hint_lsn.store(lsn, std::memory_order_relaxed);
    advance_page_lsn(page, lsn);
}

// The image comes first: a page must not be written with a hint that no image precedes.  So, unlike a
// change's, the dirty mark may come after a checkpoint began whose flush has passed the page, with the image
// before its redo pointer.  The flag holds that checkpoint off until the page has another image (no error may
// prevent that); then no further one can begin, so the loop ends.
// A page that others have changed gets no hint: replay would put the image over their change.
void dirty_with_image(Frame &f, FrameNo frame) {
    GH_ASSERT(hint_logger != nullptr);
    if (is_changed_elsewhere(frame)) return;
    const bool held_before = pg::delays_checkpoints();
    pg::delay_checkpoints();
    pg_memory_barrier();
    Lsn redo = ::GetRedoRecPtr();
    log_image_if_needed(f, page_at(frame), redo);
    if (CritSectionCount == 0) GH_STOP_POINT("buffer.hint_image_logged");
    START_CRIT_SECTION();
    if (f.state.set_dirty()) pg::count_page_dirtied();
    for (Lsn now = ::GetRedoRecPtr(); now != redo; now = ::GetRedoRecPtr()) {
        redo = now;
        log_image_if_needed(f, page_at(frame), redo);
    }
    look_after_image(frame);
    if (is_write_back()) [[likely]]
        END_CRIT_SECTION();
    else  // the guardians left while we were at it: see PageChange
        end_critical_and_write(&frame, 1);
    if (!held_before) pg::stop_delaying_checkpoints();
}

// A hint that needs no record.  In write-through mode a page is dirty only while its writer holds checkpoints
// off: whatever stayed dirty could be written at any time, after the last checkpoint of a DROP DATABASE for
// example, whose file is then missing when the checkpointer comes to sync it (a PANIC).  So the hint is not
// kept, as one that needs an image is not.  In recovery files go after their pages, and after the sessions
// that could read these back (redo/core_wrappers), and there is no mode; but ours may be older than what core
// is making of the page.
void dirty_without_record(Frame &f, FrameNo frame) {
    const bool guarded = is_write_back();
    if (!guarded && (!::RecoveryInProgress() || is_core_replaying(f.tag))) return;
    if (f.state.set_dirty()) pg::count_page_dirtied();
    if (!guarded || is_write_back()) return;
    START_CRIT_SECTION();  // the guardians left while we were at it
    end_critical_and_write(&frame, 1);
}

}  // namespace

void advance_page_lsn(char *page, Lsn lsn) noexcept {
    auto *word = reinterpret_cast<std::uint64_t *>(page);
    std::uint64_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
    const std::uint64_t wanted = (lsn << 32) | (lsn >> 32);
    while (((seen << 32) | (seen >> 32)) < lsn &&
           !__atomic_compare_exchange_n(word, &seen, wanted, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
}

PageChange::PageChange() noexcept {
    START_CRIT_SECTION();
}

void PageChange::add(const PinnedPage &page) noexcept {
    GH_ASSERT(page.latched_exclusive_by_me());
    for (int i = 0; i < count_; ++i)
        if (frames_[i] == page.frame()) return;
    GH_ASSERT(count_ < kPagesMax);
    if (page.is_local()) {
        local_mark_dirty(page.frame());
        return;
    }
    frames_[count_++] = page.frame();
    if (frame_at(page.frame()).state.set_dirty()) pg::count_page_dirtied();
    if (!is_write_back() && !holds_checkpoint_) [[unlikely]] {
        holds_checkpoint_ = !pg::delays_checkpoints();
        pg::delay_checkpoints();
        writes_through_ = true;
    }
}

void PageChange::finish() noexcept {
    for (int i = 0; i < count_; ++i) check_changed(frames_[i]);
    finished_ = true;
    if (!writes_through_) [[likely]]
        END_CRIT_SECTION();
    else
        end_writing_through();
}

void PageChange::end_writing_through() noexcept {
    end_critical_and_write(frames_, count_);
    if (holds_checkpoint_) pg::stop_delaying_checkpoints();
    write_left_pages();
}

PageChange::~PageChange() {
    GH_ASSERT(finished_);
    if (!finished_) finish();
}

void mark_dirty_in_redo(const PinnedPage &page) noexcept {
    GH_ASSERT(!page.is_local());
    if (frame_at(page.frame()).state.set_dirty()) pg::count_page_dirtied();
    check_changed(page.frame());
}

void PinnedPage::mark_dirty_hint() const {
    if (is_local()) {
        local_mark_dirty(frame_);
        return;
    }
    Frame &f = frame_at(frame_);
    const StateBits seen = f.state.load();
    if (seen.has(StateBits::kDirty | StateBits::kJustDirtied) || seen.outdated()) return;
    if (!hint_needs_image(f)) {
        dirty_without_record(f, frame_);
        return;
    }
    // What must not be logged is not dirtied: the hint is lost when the page leaves the pool.  Nor is it
    // without guardians: an image older than the next redo pointer would not protect a later write.
    if (::RecoveryInProgress() || pg::skips_wal(file_of(f.tag)) || !is_write_back()) return;
    dirty_with_image(f, frame_);
}

void set_hint_image_logger(HintImageLogger logger) noexcept {
    hint_logger = logger;
}

}  // namespace glassheap::buffer
