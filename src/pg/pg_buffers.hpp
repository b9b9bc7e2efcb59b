// pg/pg_buffers.hpp — PostgreSQL's own pool of pages, looked into: shared_buffers' table and descriptors.
//
// Why:    a page of ours may be there as well (design.D17).  What is needed of bufmgr's internals
//         is here and nowhere else, because it differs between versions.
// Locking: look, evict: the mapping partition and the buffer's header lock, for a moment; never a
//         content lock. flush and copy take the buffer's content lock in share mode: holders of it never
//         wait for our latches.  wait_for_core_pins takes it exclusively, without any latch of ours.
// Errors: look, evict, is_suspect never longjmp.  flush, copy and wait may (I/O, memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

extern "C" {
#include "postmaster/bgwriter.h"
}

namespace glassheap::pg {

struct CorePlace {
    RelFile file;
    ForkNumber fork;
    BlockNo block;
};

// shared_buffers' copy of a page.
struct CoreCopy {
    bool present;
    bool dirty;
    bool pinned;
    bool in_io;        // it is being read or written
    bool all_visible;  // the page's flag, which VACUUM may set without moving the LSN
    XLogRecPtr lsn;    // of a page that is being changed: before or after
    Buffer buffer;
};

bool has_core_copy(const CorePlace &place) noexcept;
CoreCopy look_at_core_copy(const CorePlace &place) noexcept;
// Takes the copy out of shared_buffers, unless somebody has it pinned.  A dirty one only if its LSN is not
// above `dirty_upto` (InvalidXLogRecPtr: never), a clean one up to `clean_upto`.  True: there is none any
// more.
bool evict_core_copy(const CorePlace &place, XLogRecPtr dirty_upto,
                     XLogRecPtr clean_upto = ~XLogRecPtr{0}) noexcept;
// The same for all copies of the relation's main and free space forks; walks all of shared_buffers.
void evict_core_copies(const RelFile &file) noexcept;
// Those of a temporary relation of this session, in its local buffers; none of a fork of which one is pinned,
// or dirty: somebody's change.
void evict_local_core_copies(const RelFile &file) noexcept;
// Has it written if it is dirty and still there.
void flush_core_copy(const CorePlace &place, Buffer buffer);
// Replay: until nobody has the copy pinned, if there is one.  Who does is asked to go, as for a cleanup lock
// of core's.  One that cannot be pinned is waited for while it is being read, at least for a moment: look
// again.  Reads nothing: others may be writing the block.
void wait_for_core_pins(const CorePlace &place);
bool copy_core_page(const CorePlace &place, Buffer buffer, char *out);

int core_buffer_count() noexcept;
// Has this buffer a page of a main or free space fork that is dirty, or has an LSN above `since`?  Read
// without a lock: ask again.
bool is_suspect_core_page(int index, XLogRecPtr since, CorePlace *place) noexcept;

// What an error left behind in a process that has no transactions: I/O begun, locks, pins.
void release_core_buffers() noexcept;

}  // namespace glassheap::pg
