// buffer/redo_access.cpp — pages for replay.
//
// Why:    a full image or an initialised page must not be read first (it may be torn), a fork may have to
//         grow, and a file may have to come back that a later record removes again.
// Errors: as reading; only the startup process (or single-user recovery) comes here.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/core_copies.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "storage/files.hpp"
#include "storage/grow.hpp"

namespace glassheap::buffer {

namespace {

// Latched before it becomes valid: a reader of the hot standby never sees the zeroes.
PinnedPage blank_page(const LoadRequest &request, bool cleanup, FrameNo held) {
    const Found found = find_or_insert_with(request, held);
    PinnedPage page = PoolAccess::adopt_shared(found.frame, request.tag.block);
    if (!found.mine) {
        if (cleanup)
            page.latch_cleanup();
        else
            page.latch_exclusive();
        return page;
    }
    // Others may have pinned the frame meanwhile, but nobody has seen a row on it: that is cleanup enough.
    page.latch_exclusive();
    if (has_core_copy(request.tag)) [[unlikely]]
        take_over_core_copy(request.tag, request.permanent, page.data());
    std::memset(page.data(), 0, page::kPageSize);
    finish_read(found.frame, true);
    return page;
}

}  // namespace

bool is_torn_in_redo(const pg::RelFile &file, ForkNumber fork, BlockNo block) {
    require_ready();
    storage::create_file_in_redo(file, fork);
    if (block >= storage::block_count(file, pg::kNoBackend, fork)) return false;
    return !read_page(fork_of_file(file, fork), block, nullptr, ReadMode::empty_if_torn);
}

RoomInRedo::RoomInRedo(const pg::RelFile &file, ForkNumber fork, BlockNo block, bool zero) {
    require_ready();
    GH_ASSERT(InterruptHoldoffCount == 0);
    const ForkRef ref = fork_of_file(file, fork);
    if (!zero) {
        storage::create_file_in_redo(file, fork);
        if (block < storage::block_count(file, pg::kNoBackend, fork)) page_ = read_page(ref, block);
        return;
    }
    const LoadRequest request = make_request(ref, block, nullptr);
    reserve_pin();
    const FrameNo there = find_and_pin_surely(request.tag, request.hash, request.warmth);
    if (there != kNoFrame)
        page_ = PoolAccess::adopt_shared(there, block);
    else
        frame_ = claim_victim(nullptr);
}

RoomInRedo::~RoomInRedo() {
    if (frame_ != kNoFrame) free_held(frame_);
}

PinnedPage redo_page(const pg::RelFile &file, ForkNumber fork, BlockNo block, bool zero, bool cleanup,
                     RoomInRedo *room) {
    require_ready();
    GH_ASSERT(InterruptHoldoffCount == 0 || room != nullptr);
    GH_ASSERT(!cleanup || room == nullptr);  // its pin would be a second one
    storage::create_file_in_redo(file, fork);
    const BlockNo blocks = storage::block_count(file, pg::kNoBackend, fork);
    if (block >= blocks) {
        if (!zero) return {};
        storage::extend_zeroed(file, pg::kNoBackend, fork, blocks, block + 1 - blocks);
    }
    const ForkRef ref = fork_of_file(file, fork);
    if (zero) {
        const FrameNo held = room == nullptr ? kNoFrame : std::exchange(room->frame_, kNoFrame);
        return blank_page(make_request(ref, block, nullptr), cleanup, held);
    }
    PinnedPage page = read_page(ref, block);
    if (cleanup)
        page.latch_cleanup();
    else
        page.latch_exclusive();
    return page;
}

}  // namespace glassheap::buffer
