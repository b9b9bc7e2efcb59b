// wal/emit.hpp — writing our records.
//
// Why:    operations decide, edit the page, and call one of these inside their PageChange.
// Invariants: wal.W1 called with every registered page exclusively latched (VM buffers locked), marked dirty.
//         wal.W2 sets the LSN of every page it registers.  But emit_visible leaves the row page's alone
//            unless hints are logged, and emit_hint_image leaves it to its caller.
//         wal.W3 never called for relations that do not need WAL: the caller asks RelationNeedsWAL.
// Errors: noexcept in spirit: stands in a critical section.  What may fail (space for many block
//         references) is asked for before it, by reserve_*.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"
#include "wal/records.hpp"

namespace glassheap::wal {

struct InsertLog {
    Relation rel;
    const buffer::PinnedPage *page;
    HeapTuple tuple;  // as put on the page
    SlotNo slot;
    bool init_page;
    Buffer cleared_vm;  // InvalidBuffer: PD_ALL_VISIBLE was not set
    int options;        // HEAP_INSERT_*
};
Lsn emit_insert(const InsertLog &log);

struct MultiInsertLog {
    Relation rel;
    const buffer::PinnedPage *page;
    const SlotNo *slots;  // where the rows were put
    int count;
    bool init_page;
    bool last;  // of the command
    Buffer vm;  // to be cleared, or with all_frozen_set: its bits were set
    bool all_frozen_set;
    int options;
    char *scratch;  // kPageSize bytes, allocated by the caller before the critical section
};
Lsn emit_multi_insert(const MultiInsertLog &log);

struct RemoveLog {
    Relation rel;
    const buffer::PinnedPage *page;
    SlotNo slot;
    page::XmaxMark mark;
    Buffer cleared_vm = InvalidBuffer;
    HeapTuple old_key = nullptr;  // or what REPLICA IDENTITY wants (logical only)
    bool partition_move = false;
    bool speculative_abort = false;  // taking back a failed speculative insertion
};
Lsn emit_remove(const RemoveLog &log);

struct UpdateLog {
    Relation rel;
    const buffer::PinnedPage *old_page;
    const buffer::PinnedPage *new_page;  // may be the same
    HeapTuple old_tuple;                 // pointing into old_page, after the change
    HeapTuple new_tuple;                 // pointing into new_page
    page::XmaxMark old_mark;
    Buffer cleared_vm_old;
    Buffer cleared_vm_new;  // may equal cleared_vm_old
    HeapTuple old_key;
    bool init_page;
    bool hot;
};
Lsn emit_update(const UpdateLog &log);

// A row lock (also of later versions of an update chain).
struct LockLog {
    const buffer::PinnedPage *page;
    Relation rel;
    SlotNo slot;
    page::XmaxMark mark;
    Buffer cleared_frozen_vm;  // VM buffer whose all-frozen bit was cleared, or InvalidBuffer
};
Lsn emit_lock(const LockLog &log);
Lsn emit_confirm(Relation rel, const buffer::PinnedPage &page, SlotNo slot);

struct PruneLog {
    Relation rel;
    const buffer::PinnedPage *page;
    std::span<const page::Redirect> redirected;
    std::span<const SlotNo> now_dead;
    std::span<const SlotNo> now_unused;
    std::span<const page::FreezePlan> frozen;
    bool freezes_all;  // then nothing of the above
    Xid latest_removed_xid;
    Buffer vm;  // its bits were set to vm_bits, or InvalidBuffer
    std::uint8_t vm_bits;
};
Lsn emit_prune(const PruneLog &log);
Lsn emit_vacuum(Relation rel, const buffer::PinnedPage &page, std::span<const SlotNo> unused,
                Xid latest_removed_xid, Buffer vm, std::uint8_t vm_bits);
Lsn emit_visible(Relation rel, const buffer::PinnedPage &page, Buffer vm, std::uint8_t vm_bits,
                 Xid cutoff_xid);
// Image of a page whose unlogged bytes changed (buffer::HintImageLogger).
Lsn emit_hint_image(const buffer::ForkRef &fork, BlockNo block, char *page_copy);
// Images of pages built outside the pool (rewrite, copy_data): sets their LSN.  At most 16 at a time;
// opens its own critical section.
void log_new_pages(const pg::RelFile &file, ForkNumber fork, const BlockNo *blocks, char **pages, int count);
// The whole page, as new_pages: rows of another transaction than the one that logs them.
Lsn emit_page_image(Relation rel, const buffer::PinnedPage &page);
// Flushed on return: what the file's new owner does next is not replayed without it.  Not in a PageChange.
void emit_file_event(const pg::RelFile &file, FileEvent what);
Lsn emit_fsm_truncate(const pg::RelFile &file, BlockNo heap_blocks);

}  // namespace glassheap::wal
