// buffer/core_copies.hpp — the tripwire: a page of ours that is in shared_buffers as well (design.D17).
//
// Why:    code that bypasses the table access method (heap_insert called from C, a file that changes
//         hands in the catalog) works on a second copy.  It cannot be hindered; it is noticed before
//         damage is done.
// What is compared: a frame knows the LSN that its page has on disk (disk_lsn).  A copy in
//         shared_buffers with a higher one was changed since; one that is merely dirty has new hint bits
//         at most.  Without LSNs (unlogged relations, wal_level = minimal) dirty counts as changed.
//         Free space is mere advice: theirs is thrown away.
//
//   ours       theirs        what happens
//   absent     dirty         taken over: core writes it, we read it; unless the file's page is newer
//   any        unchanged     thrown out of shared_buffers
//   unchanged  changed       ours is outdated (pool.F6) and leaves the pool, so that the next
//                            reader takes theirs over; who has it pinned goes on reading the old version,
//                            and cannot change it
//   changed    changed       the relation is marked (two_pools.hpp), ours is written aside
//   changed    older, held   the same, if the pin outlasts our patience: its holder may change it yet
//
//   in replay: what is older than ours is thrown out; is it held, ours is written and stays dirty, to be
//   judged as above after promotion
//
// When:   a write looks before and after: who reads the page in between may have the old one.
// Limits: a copy that is taken in, changed, written and thrown out of shared_buffers between two rounds
//         of the pool writer, while our page stays cached, leaves no trace.  Without LSNs neither does a
//         copy that is written.  Without the workers (write-through) there are no rounds: misses and
//         writes alone look.  An old copy that is held while we write may get hint bits and be written over
//         ours (on a standby without checksums and wal_log_hints); ours follows when it is gone.  Until
//         then no restartpoint comes after our records (redo/restartpoint).
// Locking: PostgreSQL's mapping partition, for moments, under any of our latches; our partition and
//         relation locks are not held.  put_away takes the page's latch, if it is free, then our partition.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/io.hpp"
#include "buffer/pool_internal.hpp"

namespace glassheap::buffer {

// Is there anything in shared_buffers under this tag?
bool has_core_copy(const PageTag &tag) noexcept;
// On a miss, the read claimed, before the page is read: afterwards the file has the newest version.
// `scratch`: the frame's page.  May longjmp (I/O).
void take_over_core_copy(const PageTag &tag, bool permanent, char *scratch);

enum class WriteTo : std::uint8_t {
    file,
    file_beside,  // though somebody on a standby holds an older copy, which PostgreSQL may write after us
    aside,
    nowhere,
    later,
};
// Under the page's latch and its I/O claim, WAL flushed; `ours`: the LSN of what is written.  May longjmp
// when it has to mark the relation, and when a reader outlasts our patience.  `later`: Reader::leave only.
WriteTo where_to_write(FrameNo frame, Lsn ours, Reader reader);
// How long we wait for somebody who reads a page of ours into shared_buffers.
inline constexpr int kReaderPatienceMs = kChecks >= 1 ? 3'000 : 30'000;
[[noreturn]] void refuse_to_write(const PageTag &tag);  // after that
enum class Written : std::uint8_t {
    alone,
    again,  // there was an older copy, and PostgreSQL may have written it after us
    aside,  // there is another version: the relation is marked now, and ours has to go aside
    // Somebody has been reading it in all the time, or holds an older copy on a standby: ours is in the file,
    // and has to be written again.
    undecided,
};
Written look_after_write(FrameNo frame, Lsn ours, Reader reader);

// An outdated page, pinned by the caller, leaves the pool however many others have it pinned.  May longjmp
// (when what was changed of it has to go aside).
enum class PutAway : std::uint8_t {
    gone,
    marked,   // its relation is in two pools: it stays
    latched,  // somebody else has its latch: not now
};
PutAway put_away(FrameNo frame);

// Around the logging of a hint image, under the page's latch.  Before: theirs was changed, so our image would
// undo it in replay.  After: whatever was changed at the same time is remembered with its own LSN.
bool is_changed_elsewhere(FrameNo frame) noexcept;
void look_after_image(FrameNo frame) noexcept;

// The page's bytes come from aside if its relation is in two pools and it is there.
bool read_from_aside(const PageTag &tag, char *page);

// A round: looks at the next `limit` buffers of shared_buffers for pages that are in our pool too, and dirty
// or changed lately.  May longjmp.
void watch_core_pool(int limit);
// Looks at all of them, however old.
void search_core_pool();
// Looks at those of one relation until ours are settled.  For who reads all of it to write a new file or an
// index, or to say that its rows fulfil a constraint, with a lock that keeps others from changing it (or, as
// CREATE INDEX CONCURRENTLY and VALIDATE CONSTRAINT, with what they change taking care of itself).
void settle_core_copies(const pg::RelFile &file);
void settle_core_copies(const pg::RelFile &file, BlockNo first, BlockNo count);  // blocks of the main fork

}  // namespace glassheap::buffer
