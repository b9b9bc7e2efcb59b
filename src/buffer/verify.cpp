// buffer/verify.cpp — see buffer/verify.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/page_table.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/verify.hpp"
#include "page/page_check.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

namespace {

// Only heap pages have line pointers; an FSM page is a header and bytes.
page::PageFinding find_damage(const char *bytes, ForkNumber fork) noexcept {
    const page::PageView view(bytes);
    return fork == MAIN_FORKNUM ? page::check_structure(view) : page::check_header(view);
}

void report(int level, const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block,
            page::PageFinding finding, bool zeroing) {
    char *path = storage::path_of(file, backend, fork);
    const bool structural = finding.fault != page::PageFault::none;
    const bool of_line = finding.slot != kInvalidSlot;
    ereport(level, (errcode(ERRCODE_DATA_CORRUPTED),
                    zeroing ? errmsg("invalid page in block %u of relation %s; zeroing out page", block, path)
                            : errmsg("invalid page in block %u of relation %s", block, path),
                    !structural ? 0
                    : of_line ? errdetail("Line pointer %u: %s.", finding.slot, page::describe(finding.fault))
                              : errdetail("What is wrong is: %s.", page::describe(finding.fault))));
    ::pfree(path);
}

}  // namespace

void verify_changed(FrameNo frame) noexcept {
    if constexpr (kChecks < 2) return;
    const Frame &f = frame_at(frame);
    GH_PARANOID(find_damage(page_at(frame), fork_number(f.tag)).fault == page::PageFault::none);
    const std::uint32_t hash = hash_tag(f.tag);
    const bool found = find_frame(f.tag, hash) == frame;
    GH_PARANOID(found || !f.state.load().tagged());
}

bool is_sound(char *page, ForkNumber fork, BlockNo block) {
    return storage::page_is_intact(page, block) && find_damage(page, fork).fault == page::PageFault::none;
}

bool seems_torn(char *page, ForkNumber fork, BlockNo block) {
    if (!storage::page_is_intact(page, block)) return false;
    const page::PageFault fault = find_damage(page, fork).fault;
    return fault != page::PageFault::none && fault != page::PageFault::header;
}

void verify_page(char *page, const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block,
                 ReadMode mode) {
    page::PageFinding finding;
    bool good = storage::page_is_verified(page, block);
    if (good) {
        finding = find_damage(page, fork);
        good = finding.fault == page::PageFault::none;
    }
    if (good) [[likely]]
        return;
    const bool zero = mode == ReadMode::zero_on_error || zero_damaged_pages;
    report(zero ? WARNING : ERROR, file, backend, fork, block, finding, zero);
    std::memset(page, 0, page::kPageSize);
}

}  // namespace glassheap::buffer
