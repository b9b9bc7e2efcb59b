// buffer/local_pool.hpp — pages of this backend's temporary tables.
//
// Why:    nobody else sees them: no latches, no WAL, no checkpoints; temp_buffers says how many.  Frame
//         numbers are -2 - index, so the same PinnedPage serves both pools.
// Invariants: pool.L1 a local frame with pins is never replaced.
//         pool.L2 a dirty page whose file is gone (table dropped, transaction aborted) is dropped, not
//         written.
//         pool.L3 tags do not say whose page it is: nothing of another session's tables gets in, and nothing
//         is forgotten or written for one.
// Errors: reading and extending may longjmp; a frame that was being filled is left without a page.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

[[noreturn]] void refuse_temp_of_others();

// Whether the pages are in this session's own pool; refuses temporary tables of other sessions (pool.L3).
// Whatever leads to pages asks this.
inline bool is_in_local_pool(Relation rel) {
    if (!pg::is_temp(rel)) [[likely]]
        return false;
    if (RELATION_IS_OTHER_TEMP(rel)) refuse_temp_of_others();
    return true;
}
inline bool is_in_local_pool(const ForkRef &fork) {
    if (!fork.is_temp()) [[likely]]
        return false;
    if (fork.owned.backend != pg::my_temp_backend()) refuse_temp_of_others();
    return true;
}

PinnedPage local_read(const ForkRef &fork, BlockNo block, ReadMode mode, bool *hit);
PinnedPage local_read_if_cached(const ForkRef &fork, BlockNo block);
bool local_is_cached(const ForkRef &fork, BlockNo block) noexcept;
PinnedPage local_repin(const ForkRef &fork, BlockNo block, FrameNo hint);
PinnedPage local_extend(const ForkRef &fork, BlockNo first, BlockNo count);
void local_unpin(FrameNo frame) noexcept;
void local_mark_dirty(FrameNo frame) noexcept;
std::uint64_t &local_known(FrameNo frame) noexcept;
void local_forget(const pg::OwnedFile &owned, int fork /* < 0: all */, BlockNo first) noexcept;
void local_flush(const pg::OwnedFile &owned);

}  // namespace glassheap::buffer
