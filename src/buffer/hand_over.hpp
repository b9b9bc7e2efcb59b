// buffer/hand_over.hpp — pages and files of ours that core is going to read or change.
//
// Locking: the caller keeps users of the relation away, or is replay; no latch is held.
// Errors: all that write may longjmp (I/O; relation in two pools).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

// Replay: core will change the page in shared_buffers, until end_core_replay().  Before its page is taken
// over it may be written, and gone, so that nothing would tell that ours is older: ours gets no hint that
// would have to be written.  Both are the startup process'.
void begin_core_replay(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept;
void end_core_replay() noexcept;
// Replay: writes the page if it is dirty, and drops it.
void part_with_page(const pg::RelFile &file, ForkNumber fork, BlockNo block);
// Replay: core is going to write what it has of the database, and to copy the files.
void flush_database_for_core(Oid database);
// Drops the page without writing it; the second one where replay has met it in shared_buffers.
void drop_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept;
void drop_met_page(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept;
// The same for what this frame, pinned by the caller, holds; false: nothing that anybody could find.
bool drop_frame(FrameNo frame) noexcept;
// Is any page of the file in the pool?
bool has_pages(const pg::RelFile &file) noexcept;
// Writes and drops all pages, and throws older copies out of shared_buffers: core reads the file from now on.
// An error if the relation is in two pools; not in replay, which goes record by record.
void hand_over_to_core(const pg::RelFile &file);
// The same at an abort, for a file that the transaction had taken from core.  If it is in two pools, ours has
// nothing but what is being aborted, and goes.  May longjmp (I/O).
void give_back_to_core(const pg::RelFile &file);
// Writes and drops all pages: the file may be unlinked without our hearing of it, or stay.
void part_with_relation(const pg::OwnedFile &owned);
// Replay: our version of every page is the one that was chosen, on the primary.
void redo_resolved(const pg::RelFile &file);
// Replay has cut the main fork: what is aside behind that is not the page that may come there again.  May
// longjmp.
void redo_cut_aside(const pg::RelFile &file, BlockNo blocks);
// One version of every page was chosen, and is in the file.
void lift_two_pools_mark(const pg::RelFile &file) noexcept;

}  // namespace glassheap::buffer
