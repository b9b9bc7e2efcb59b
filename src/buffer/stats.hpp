// buffer/stats.hpp — the pool as a passer-by sees it: frames, counters, workers; and the few deliberate
//         pushes.
//
// Why:    introspection must not slow anybody down: whatever is read here is read without a lock that a
//         query could wait for (state words are atomics; a tag is read twice and must agree).
// Locking: none is needed; evict_frame and mark_frame_dirty pin and latch by themselves.
// Errors: peek_* and read_* never longjmp; evict_frame, mark_frame_dirty may (I/O).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

// ---- frames
struct FrameInfo {
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;
    Lsn lsn;  // of the page, read without the latch: a hint
    int pins;
    std::uint32_t last_victim_pass;  // clock pass in which the frame was last given away; 0 never
    std::uint16_t usage;
    bool dirty;
    bool io_in_progress;
    char persistence;
};
int frame_count() noexcept;  // shared frames, 0 .. frame_count() - 1
// False: the frame holds no page, or changed its page each time it was looked at.
// with_lsn false: the page itself is not touched (a new process would fault in all of the pool), lsn is 0.
bool peek_frame(FrameNo frame, FrameInfo *info, bool with_lsn = true) noexcept;
// Bytes of shared memory beside the pages: descriptors, page table, latches, per-process counters.
std::size_t overhead_bytes() noexcept;

struct EvictResult {
    bool evicted;
    bool flushed;  // it was dirty and has been written first
};
// Gives an unpinned page away, writing it if it is dirty; not evicted when pinned, in I/O or empty.
EvictResult evict_frame(FrameNo frame);
struct DirtyResult {
    bool dirtied;
    bool already_dirty;
};
DirtyResult mark_frame_dirty(FrameNo frame);  // for tests; both false when the frame is empty

// Frames of one relation (all forks) without walking the pool: stores at most `capacity` frame numbers of
// pages that are or very recently were of `file`; returns how many there are.
int frames_of(const pg::RelFile &file, FrameNo *frames, int capacity) noexcept;

// ---- counters.  Each process adds to a slot of its own; readers sum up.
enum class IoBackend : std::uint8_t {
    client,       // client backend, walsender
    autovacuum,   // core's or our vacuum workers
    background,   // other background workers, parallel workers
    pool_writer,  // ours
    guardian,     // ours
    startup,      // recovery
    other,        // single-user, checkpointer
};
inline constexpr int kIoBackends = 7;
inline constexpr int kRingKinds = 4;  // as in RingKind: normal, bulk_read, bulk_write, vacuum
struct IoCounts {
    std::uint64_t reads;
    std::uint64_t writes;
    std::uint64_t writebacks;
    std::uint64_t extends;  // pages
    std::uint64_t hits;
    std::uint64_t evictions;  // a page was given away for another one
    std::uint64_t reuses;     // ... of the scan's own ring
    std::uint64_t read_us;    // the times are kept while track_io_timing is on
    std::uint64_t write_us;
    std::uint64_t extend_us;
};
void read_io_counts(IoBackend backend, RingKind context, IoCounts *counts) noexcept;

// Per relation file: a fixed-size shared table of atomic counters, touched only at real I/O (hits are kept by
// pg_statio).  Since the file's first page came into the pool after server start; false: nothing known.
struct RelationIo {
    std::uint64_t reads;
    std::uint64_t writes;
    std::uint64_t evictions;
    std::uint64_t extends;
};
bool read_relation_io(const pg::RelFile &file, RelationIo *io) noexcept;

struct ClockInfo {
    FrameNo hand;
    std::uint64_t passes;       // full turns since start
    std::uint64_t allocations;  // frames asked for
    std::uint64_t victims;      // frames taken from another page
    int free_frames;            // never used or given back
    int writer_ahead;           // frames the pool writer is ahead of the hand
};
void read_clock(ClockInfo *clock) noexcept;

// Summaries of pages that have left the pool (page_summaries.hpp).
struct SummariesInfo {
    std::uint64_t bytes;
    std::int64_t extents;  // of 32 pages, for which there is room
    std::int64_t extents_used;
    std::uint64_t asked;  // pages read, of which something might have been known
    std::uint64_t found;
    std::uint64_t kept;
};
void read_summaries(SummariesInfo *info) noexcept;

// ---- workers
struct WriterInfo {
    int pid;  // 0: not running
    std::uint64_t rounds;
    std::uint64_t pages_written;
    std::uint64_t maxwritten_stops;  // rounds ended because the limit was reached
    TimestampTz last_round;
};
enum class PoolMode : std::uint8_t {
    write_back,     // both guardians are there
    write_through,  // they are not: every change is written at once
    replay,         // a standby, or crash recovery: replay writes at checkpoint records
};
struct GuardianInfo {
    int pid;  // of the checkpoint guardian; 0: not running
    std::uint64_t turns;
    std::uint64_t flushes;  // turns that saw a new redo pointer
    std::uint64_t pages_written;
    std::uint64_t write_us;
    Lsn flushed_redo;  // the redo pointer for which everything was written
    TimestampTz last_turn;
    TimestampTz last_flush;
    PoolMode mode;
    int waiting_for;  // pid of the holder for whose turn the other has waited ten seconds; 0: none
    bool unwritable;  // a page could not be written, so no checkpoint completes
    pg::RelFile failed_file;
    ForkNumber failed_fork;
    BlockNo failed_block;
};
void read_writer(WriterInfo *writer) noexcept;
void read_guardian(GuardianInfo *guardian) noexcept;

TimestampTz stats_since() noexcept;  // start, or the last reset_stats
void reset_stats() noexcept;

}  // namespace glassheap::buffer
