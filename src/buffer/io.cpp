// buffer/io.cpp — see buffer/io.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/io.hpp"

#include "buffer/core_copies.hpp"
#include "buffer/extend.hpp"
#include "buffer/pool_internal.hpp"
#include "debug/stop_points.hpp"
#include "pg/pg_usage.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

struct Claim {
    FrameNo frame;
    bool write;
};
constexpr int kClaimsMax = NewFrames::kMax + 16;  // new pages, or a run of reads; and the write of a victim
constinit Claim claims[kClaimsMax] = {};
constinit int claim_count = 0;

// Where pages are copied to be written: others may set hint bits meanwhile.
alignas(4096) constinit char write_copy[page::kPageSize] = {};

// The LSN to flush belongs to the bytes copied: it is read again after copying, and put into the copy.  Not
// before the last of them either: a hint among them may rest on a later LSN (mvcc.H1).
Lsn copy_page(const char *from) noexcept {
    std::memcpy(write_copy, from, page::kPageSize);
    std::atomic_thread_fence(std::memory_order_acquire);
    const Lsn lsn = load_page_lsn(from);
    page::PageEdit(write_copy).set_lsn(lsn);
    return lsn;
}

void count_write(const PageTag &tag, RingKind context) noexcept {
    ++pgBufferUsage.shared_blks_written;
    count(counters(context).writes);
    if (RelationCounters *io = relation_counters(file_of(tag), true))
        io->writes.fetch_add(1, std::memory_order_relaxed);
}

void write_to_file(Frame &f, RingKind context, Lsn lsn) {
    const PageTag tag = f.tag;
    IoTimer timer;
    storage::write_block(file_of(tag), pg::kNoBackend, fork_number(tag), tag.block, write_copy);
    timer.stop(pg::shared_write_time(), counters(context).write_us);
    count_write(tag, context);
    f.disk_lsn.store(lsn, std::memory_order_relaxed);
}

// `beside`: an older copy was there before.  Even if none is there now, it may have been written meanwhile.
Written write_alone(FrameNo frame, RingKind context, Lsn lsn, Reader reader, bool beside) {
    for (;;) {
        write_to_file(frame_at(frame), context, lsn);
        if (CritSectionCount == 0) GH_STOP_POINT("buffer.page_written");
        const Written written = look_after_write(frame, lsn, reader);
        if (written == Written::alone && std::exchange(beside, false)) continue;
        // After `again` the file may hold the older copy.
        if (written == Written::alone || written == Written::aside)
            frame_at(frame).note_base(write_copy, lsn);
        if (written != Written::again) return written;
    }
}

bool is_file(WriteTo where) noexcept {
    return where == WriteTo::file || where == WriteTo::file_beside;
}

// False: the page has to be written again.
bool write_where(WriteTo where, FrameNo frame, RingKind context, Lsn lsn, Reader reader) {
    const PageTag &tag = frame_at(frame).tag;
    Written written = where == WriteTo::aside ? Written::aside : Written::alone;
    if (is_file(where)) written = write_alone(frame, context, lsn, reader, where == WriteTo::file_beside);
    if (written == Written::aside)
        storage::write_aside(file_of(tag), fork_number(tag), tag.block, write_copy);
    return where != WriteTo::later && written != Written::undecided;
}

}  // namespace

void claim_io(FrameNo frame, bool write) noexcept {
    if (claim_count == kClaimsMax) abort_io_claims();  // an error was swallowed without an abort
    claims[claim_count++] = {frame, write};
}

void forget_claim(FrameNo frame) noexcept {
    for (int i = claim_count - 1; i >= 0; --i) {
        if (claims[i].frame != frame) continue;
        claims[i] = claims[--claim_count];
        return;
    }
    GH_ASSERT(false);
}

bool has_claim(FrameNo frame) noexcept {
    return std::any_of(claims, claims + claim_count,
                       [frame](const Claim &claim) { return claim.frame == frame; });
}

void abort_io_claims() noexcept {
    while (claim_count > 0) {
        const Claim claim = claims[--claim_count];
        Frame &f = frame_at(claim.frame);
        if (claim.write)
            f.state.end_write(false);
        else
            f.state.end_read(false);
        ::ConditionVariableBroadcast(&f.waiters);
    }
}

void wait_for_io(FrameNo frame) {
    Frame &f = frame_at(frame);
    if (!f.state.load().io()) return;
    ::ConditionVariablePrepareToSleep(&f.waiters);
    while (f.state.load().io()) ::ConditionVariableSleep(&f.waiters, WAIT_EVENT_BUFFER_IO);
    ::ConditionVariableCancelSleep();
}

void wait_for_io_quietly(FrameNo frame) noexcept {
    HOLD_INTERRUPTS();
    wait_for_io(frame);
    RESUME_INTERRUPTS();
}

bool write_out(FrameNo frame, RingKind context, Reader reader) {
    Frame &f = frame_at(frame);
    for (;;) {
        const BeginIo begin = f.state.try_begin_write();
        if (begin == BeginIo::nothing) return false;
        if (begin == BeginIo::begun) break;
        wait_for_io(frame);
    }
    claim_io(frame, true);
    const Lsn lsn = copy_page(page_at(frame));
    if (f.state.load().permanent()) ::XLogFlush(lsn);
    if (CritSectionCount == 0) GH_STOP_POINT("buffer.page_write");
    const WriteTo where = where_to_write(frame, lsn, reader);
    if (CritSectionCount == 0) GH_STOP_POINT("buffer.write_looked");
    f.state.end_write(write_where(where, frame, context, lsn, reader));
    forget_claim(frame);
    ::ConditionVariableBroadcast(&f.waiters);
    return is_file(where);
}

void WritebackRun::add(const PageTag &tag, int flush_after) {
    if (flush_after <= 0) return;
    PageTag next = first_;
    next.block += count_;
    if (count_ > 0 && next == tag) {
        ++count_;
    } else {
        issue();
        first_ = tag;
        count_ = 1;
    }
    if (count_ >= static_cast<BlockNo>(flush_after)) issue();
}

void WritebackRun::issue() {
    if (count_ == 0) return;
    const BlockNo blocks = std::exchange(count_, 0);
    storage::write_back(file_of(first_), fork_number(first_), first_.block, blocks);
    count(counters(RingKind::none).writebacks, blocks);
}

}  // namespace glassheap::buffer
