// pg/pg_veto.hpp — a page of shared_buffers that no file stands behind.
//
// Why:    a dirty one makes every checkpoint of PostgreSQL's fail (buffer/checkpoint_veto).  Cleaning a page
//         without writing it, and a pin that outlives its process, are nothing PostgreSQL offers: this header
//         does both the way its buffer manager would.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "catalog/pg_tablespace_d.h"
#include "storage/buf_internals.h"
#include "utils/resowner.h"
}

namespace glassheap::pg {

// The process has the page pinned itself.
inline void pin_for_nobody(Buffer buffer) noexcept {
    BufferDesc *descriptor = GetBufferDescriptor(buffer - 1);
    const std::uint32_t state = ::LockBufHdr(descriptor);
    UnlockBufHdr(descriptor, state + BUF_REFCOUNT_ONE);
}
inline void unpin_for_nobody(Buffer buffer) noexcept {
    BufferDesc *descriptor = GetBufferDescriptor(buffer - 1);
    const std::uint32_t state = ::LockBufHdr(descriptor);
    UnlockBufHdr(descriptor, state - BUF_REFCOUNT_ONE);
}

// Dirties a page that is pinned for nobody; needs no lock and no pin, and cannot fail.
inline void dirty_for_nobody(Buffer buffer) noexcept {
    BufferDesc *descriptor = GetBufferDescriptor(buffer - 1);
    const std::uint32_t state = ::LockBufHdr(descriptor);
    UnlockBufHdr(descriptor, state | BM_DIRTY | BM_JUST_DIRTIED);
}

// Precondition: pinned, content lock held exclusively, so that nobody begins to write it.  Who has failed to
// write it gives the lock back before the I/O.
inline void clean_without_writing(Buffer buffer) noexcept {
    constexpr long kPauseUs = 1'000;
    BufferDesc *descriptor = GetBufferDescriptor(buffer - 1);
    std::uint32_t state = ::LockBufHdr(descriptor);
    while ((state & BM_IO_IN_PROGRESS) != 0) {
        UnlockBufHdr(descriptor, state);
        ::pg_usleep(kPauseUs);
        state = ::LockBufHdr(descriptor);
    }
    state &= ~static_cast<std::uint32_t>(BM_DIRTY | BM_JUST_DIRTIED | BM_CHECKPOINT_NEEDED | BM_IO_ERROR);
    UnlockBufHdr(descriptor, state);
}

// The same without the lock: who comes to write it afterwards finds it clean.
// False: somebody is just failing to write it; it stays dirty.
inline bool try_clean_without_writing(Buffer buffer) noexcept {
    BufferDesc *descriptor = GetBufferDescriptor(buffer - 1);
    std::uint32_t state = ::LockBufHdr(descriptor);
    const bool busy = (state & BM_IO_IN_PROGRESS) != 0;
    if (!busy)
        state &= ~static_cast<std::uint32_t>(BM_DIRTY | BM_JUST_DIRTIED | BM_CHECKPOINT_NEEDED | BM_IO_ERROR);
    UnlockBufHdr(descriptor, state);
    return !busy;
}

}  // namespace glassheap::pg
