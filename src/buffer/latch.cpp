// buffer/latch.cpp — what a PinnedPage can do: pins, latches, the cleanup latch, page summaries.
//
// Why:    the latch is an LWLock inside the frame: PostgreSQL releases it after an error.
// Invariants: pool.A1 every exclusive acquisition clears the page summary (design.D9).
//         pool.A2 who waits for a cleanup latch has set CLEANUP_WAITER while others had pins, after it
//            entered the frame's condition variable; whoever leaves one pin behind wakes it.  The flag is the
//            waiter's: it goes with its success or with its pin (errors), and there is one waiter at a time.
//         pool.A3 nobody gets an exclusive latch of an outdated page (pool.F6).
// Errors: latching may wait, and for cleanup answers interrupts; exclusively it fails on an outdated page;
//         everything else never longjmps.
// Model:  doc/design/models/cleanup.pml
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/local_pool.hpp"
#include "buffer/pool_internal.hpp"
#include "debug/stop_points.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// pool.F6.  Whoever comes next reads the page that the others made.
[[noreturn]] void refuse_outdated(Frame &f) {
    const PageTag tag = f.tag;
    ::LWLockRelease(&f.latch);
    ereport(
        ERROR,
        (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
         errmsg("block %u of relation %s was changed in shared_buffers meanwhile", tag.block,
                storage::path_of(file_of(tag), pg::kNoBackend, fork_number(tag))),
         errdetail("Code that bypasses the table access method changed it, while this session had begun to "
                   "work with the version before."),
         errhint("Repeat the transaction.")));
    pg_unreachable();
}

void require_not_outdated(Frame &f) {
    if (f.state.load().outdated()) [[unlikely]]
        refuse_outdated(f);
}

bool latch_is_mine(FrameNo frame) noexcept {
    return ::LWLockHeldByMeInMode(&frame_at(frame).latch, LW_EXCLUSIVE);
}

void require_one_pin(FrameNo frame) {
    const std::uint32_t mine = pg::pin_table.count(frame);
    if (mine != 1) elog(ERROR, "glassheap: cleanup latch wanted with %u pins of one's own", mine);
}

// False: nobody else has a pin any more.
bool enter_cleanup_wait(FrameNo frame, BlockNo block) {
    if (cleanup_wait == frame) return frame_at(frame).state.load().pins() > 1;
    if (cleanup_wait != kNoFrame) leave_cleanup_wait(cleanup_wait);  // an error left it, its pin is kept
    switch (frame_at(frame).state.try_wait_for_cleanup()) {
        case CleanupWait::alone:
            return false;
        case CleanupWait::waits:
            cleanup_wait = frame;
            return true;
        case CleanupWait::taken:
            break;
    }
    const PageTag &tag = frame_at(frame).tag;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_IN_USE),
             errmsg("cannot wait for the pins of block %u of relation %s: another process waits for them",
                    block, storage::path_of(file_of(tag), pg::kNoBackend, fork_number(tag)))));
}

void wait_for_other_pins(FrameNo frame, TimestampTz since, bool *logged) {
    if (InHotStandby)
        wait_while_pinned_in_recovery(frame, since, logged);
    else
        ::ConditionVariableSleep(&frame_at(frame).waiters, PG_WAIT_BUFFER_PIN);
}

std::uint64_t load_known(FrameNo frame) noexcept {
    return frame < kNoFrame ? local_known(frame) : frame_at(frame).known.load(std::memory_order_acquire);
}

void store_known(FrameNo frame, std::uint64_t known) noexcept {
    if (frame < kNoFrame)
        local_known(frame) = known;
    else
        frame_at(frame).known.store(known, std::memory_order_release);
}

}  // namespace

void PinnedPage::release() noexcept {
    if (frame_ == kNoFrame) return;
    unpin_frame(frame_);
    forget();
}

void PinnedPage::latch_share() const {
    if (!is_local()) ::LWLockAcquire(&frame_at(frame_).latch, LW_SHARED);
}

void PinnedPage::latch_exclusive() const {
    if (is_local()) {
        local_known(frame_) = 0;
        return;
    }
    Frame &f = frame_at(frame_);
    ::LWLockAcquire(&f.latch, LW_EXCLUSIVE);
    require_not_outdated(f);
    f.known.store(0, std::memory_order_relaxed);
}

bool PinnedPage::try_latch_exclusive() const {
    if (is_local()) {
        local_known(frame_) = 0;
        return true;
    }
    Frame &f = frame_at(frame_);
    if (!::LWLockConditionalAcquire(&f.latch, LW_EXCLUSIVE)) return false;
    if (f.state.load().outdated()) [[unlikely]] {
        ::LWLockRelease(&f.latch);
        return false;
    }
    f.known.store(0, std::memory_order_relaxed);
    return true;
}

void PinnedPage::unlatch() const {
    if (!is_local()) ::LWLockRelease(&frame_at(frame_).latch);
}

bool PinnedPage::latched_exclusive_by_me() const noexcept {
    return is_local() || latch_is_mine(frame_);
}

// Two waiters, each with its pin, would wait for each other for ever.  None can meet today: VACUUM is alone
// on its table (ShareUpdateExclusiveLock), pruning does not wait, and the startup process, the only other one
// that waits, replays while nobody can write.  Should one be added that can, it gets an error and not a hang.
void PinnedPage::latch_cleanup() const {
    require_one_pin(frame_);
    if (is_local()) {
        local_known(frame_) = 0;
        return;
    }
    Frame &f = frame_at(frame_);
    const TimestampTz since = InHotStandby ? ::GetCurrentTimestamp() : 0;
    bool logged = false;
    for (;;) {
        ::LWLockAcquire(&f.latch, LW_EXCLUSIVE);
        const StateBits now = f.state.load();
        if (now.pins() == 1 || now.outdated()) break;  // an outdated one stays so, however long one waits
        GH_STOP_POINT("buffer.cleanup_begins_to_wait");
        ::ConditionVariablePrepareToSleep(&f.waiters);
        // Asked again: whoever notes it wakes the waiters without this latch.
        if (!enter_cleanup_wait(frame_, block_) || f.state.load().outdated()) {
            ::ConditionVariableCancelSleep();
            break;
        }
        ::LWLockRelease(&f.latch);
        GH_STOP_POINT("buffer.cleanup_waits");
        wait_for_other_pins(frame_, since, &logged);
        ::ConditionVariableCancelSleep();
    }
    leave_cleanup_wait(frame_);
    require_not_outdated(f);
    f.known.store(0, std::memory_order_relaxed);
    if (logged)
        ::LogRecoveryConflict(PROCSIG_RECOVERY_CONFLICT_BUFFERPIN, since, ::GetCurrentTimestamp(), nullptr,
                              false);
}

bool PinnedPage::try_latch_cleanup() const {
    if (pg::pin_table.count(frame_) != 1) return false;
    if (is_local()) {
        local_known(frame_) = 0;
        return true;
    }
    Frame &f = frame_at(frame_);
    if (f.state.load().pins() != 1) return false;
    if (!::LWLockConditionalAcquire(&f.latch, LW_EXCLUSIVE)) return false;
    const StateBits now = f.state.load();
    if (now.pins() != 1 || now.outdated()) {
        ::LWLockRelease(&f.latch);
        return false;
    }
    f.known.store(0, std::memory_order_relaxed);
    return true;
}

bool PinnedPage::is_usable() const noexcept {
    return is_local() || frame_at(frame_).state.load().usable();
}

bool PinnedPage::is_reserved() const noexcept {
    return !is_local() && frame_at(frame_).reserved.load(std::memory_order_relaxed);
}

void PinnedPage::reserve() const noexcept {
    GH_ASSERT(!is_local() && latched_exclusive_by_me() && !is_reserved());
    frame_at(frame_).reserved.store(true, std::memory_order_relaxed);
}

void PinnedPage::end_reservation() const noexcept {
    GH_ASSERT(is_reserved());
    frame_at(frame_).reserved.store(false, std::memory_order_release);
}

bool PinnedPage::survives_crash() const noexcept {
    return !is_local() && frame_at(frame_).state.load().permanent();
}

Lsn PinnedPage::lsn_now() const noexcept {
    return load_page_lsn(data_);
}

Xid PinnedPage::known_all_committed_upto() const noexcept {
    const std::uint64_t known = load_known(frame_);
    return (known & Frame::kKnown) != 0 ? static_cast<Xid>(known) : kInvalidXid;
}

Xid PinnedPage::known_sole_inserter() const noexcept {
    const std::uint64_t known = load_known(frame_);
    return (known & Frame::kSoleInserter) != 0 ? static_cast<Xid>(known) : kInvalidXid;
}

void PinnedPage::remember_all_committed_upto(Xid newest_xid, bool is_logged) const noexcept {
    store_known(frame_, Frame::kKnown | (is_logged ? Frame::kKeep : 0) | newest_xid);
}

void PinnedPage::remember_sole_inserter(Xid xid) const noexcept {
    GH_ASSERT(latched_exclusive_by_me());
    store_known(frame_, Frame::kSoleInserter | xid);
}

}  // namespace glassheap::buffer
