// buffer/two_pools.hpp — relations that are in two pools: marks, and the refusal to work with them.
//
// Why:    a page changed here while code that bypasses the table access method changed it in
//         shared_buffers, or holds an old copy of it there, has two versions, and nobody can merge them.
//         Both are kept: shared_buffers' in the file, ours aside (storage/aside).  Until somebody chose
//         (introspect/resolve), no user of ours gets at the relation's pages, so the versions do not grow
//         apart further, and nothing wrong is read.
// Invariants: files.M1 a relation is marked on disk before a page of it is written aside.
//         files.M2 a marked relation's pages are read from aside first and written there only.
//         files.M3 a mark goes when its file is unlinked, or by a choice; nothing else lifts it.
// Locking: one LWLock, taken last; count() is read without it.
// Errors: mark may longjmp (I/O); refuse always does.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

struct MarkedRelation {
    pg::RelFile file;
    ForkNumber fork;
    BlockNo block;  // the first page found; kInvalidBlock after a restart
    Lsn ours, theirs;
};

inline constexpr int kMarksMax = 32;

struct TwoPoolsShared {
    std::atomic<int> count;  // of all marks
    int listed;              // of them, these are in the list; whether another one is there, its file tells
    MarkedRelation marks[kMarksMax];
    LWLock lock;
    int tranche;
    std::atomic<std::uint64_t> taken_over, let_go;
};
extern TwoPoolsShared *two_pools;

std::size_t two_pools_bytes() noexcept;
void map_two_pools(bool fresh);  // fresh: shared memory is new, marks are loaded from disk

inline bool any_in_two_pools() noexcept {
    return two_pools->count.load(std::memory_order_relaxed) != 0;
}
bool is_in_two_pools(const pg::RelFile &file) noexcept;
bool find_mark(const pg::RelFile &file, MarkedRelation *mark) noexcept;
void mark_two_pools(const MarkedRelation &mark);
void unmark_two_pools(const pg::RelFile &file) noexcept;
void unmark_database(Oid database, Oid tablespace) noexcept;
// ERRCODE_DATA_CORRUPTED if a relation of the database is marked: its files must not be copied as they are.
void refuse_database_in_two_pools(Oid database);
// ERRCODE_DATA_CORRUPTED if the relation is marked; looks into the catalog.
void refuse_two_pools(Relation rel);
// Replay changes the relation's pages in both pools.  Remembered by this process for as long as replay lasts.
void note_meeting(const pg::RelFile &file) noexcept;
bool have_met(const pg::RelFile &file) noexcept;

// Replay is not refused, and could not name the relation: it works by file (ForkRef).
inline void refuse_if_in_two_pools(Relation rel) {
    GH_ASSERT(!InRecovery);
    if (any_in_two_pools()) [[unlikely]]
        refuse_two_pools(rel);
}

}  // namespace glassheap::buffer
