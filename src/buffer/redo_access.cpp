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

namespace glassheap::buffer {

namespace {

// Latched before it becomes valid: a reader of the hot standby never sees the zeroes.
PinnedPage blank_page(const LoadRequest &request, bool cleanup) {
    const Found found = find_or_insert(request);
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

PinnedPage redo_page(const pg::RelFile &file, ForkNumber fork, BlockNo block, bool zero, bool cleanup) {
    require_ready();
    storage::create_file_in_redo(file, fork);
    const BlockNo blocks = storage::block_count(file, pg::kNoBackend, fork);
    if (block >= blocks) {
        if (!zero) return {};
        storage::extend_zeroed(file, pg::kNoBackend, fork, blocks, block + 1 - blocks);
    }
    const ForkRef ref = fork_of_file(file, fork);
    if (zero) return blank_page(make_request(ref, block, nullptr), cleanup);
    PinnedPage page = read_page(ref, block);
    if (cleanup)
        page.latch_cleanup();
    else
        page.latch_exclusive();
    return page;
}

}  // namespace glassheap::buffer
