// heap/lock_row.hpp — the parts of locking one row.
//
//     lock_row.cpp          the loop: look -> settle with the holders -> mark
//     lock_row_settle.cpp   may I have it now, must I wait, can I not have it
//     lock_row_chain.cpp    the later versions of an updated row
//
// Locking: the page latch is given up to wait, to look at multixacts, and to walk the chain.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/row_access.hpp"
#include "heap/xmax.hpp"

namespace glassheap::heap {

struct RowLock {
    Relation rel;
    Cid cid;
    LockTupleMode mode;
    LockWaitPolicy policy;
    bool follow_updates;
    RowQueue queue;
    bool first_look = true;   // our own locks are searched once: we cannot get new ones while we are here
    bool skip_queue = false;  // we hold a weaker lock: queueing behind those who wait for us would deadlock
    buffer::PinnedPage page{};
    Buffer vmbuf = InvalidBuffer;
    HeapTupleData tuple{};  // points into the page

    SlotNo slot() const noexcept { return ItemPointerGetOffsetNumberNoCheck(&tuple.t_self); }
};

// How the holders of the row let us go on.
enum class Settled : std::uint8_t {
    grant,       // latched: mark the row
    have_it,     // not latched: we hold the lock, or a stronger one, already
    look_again,  // latched: the row changed while we did not look
    refuse,      // latched: *result says why
};
// The row is held or changed by somebody (`result`: BeingModified, Updated, Deleted).  Latched on entry.
Settled settle(RowLock *lock, TM_Result *result);

// Locks the versions after the one whose holder was seen as `holder`, starting at `next`.
// TM_Ok, or why the lock cannot be had.  No latch held on entry and exit.
TM_Result lock_later_versions(Relation rel, const Holder &holder, const ItemPointerData &next,
                              LockTupleMode mode);

}  // namespace glassheap::heap
