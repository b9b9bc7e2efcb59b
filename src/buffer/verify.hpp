// buffer/verify.hpp — is a page that came from disk fit for use?
// Errors: verify_page longjmps with ERRCODE_DATA_CORRUPTED, or zeroes the page where that is wanted.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

void verify_page(char *page, const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block,
                 ReadMode mode);

// GH_CHECKS=2: what a change must leave behind under its latch, a page that can be walked in a frame that is
// found by its tag (or by nobody any more); a failed check otherwise.  Nothing in other builds.
void verify_changed(FrameNo frame) noexcept;
inline void check_changed(FrameNo frame) noexcept {
    if constexpr (kChecks >= 2) verify_changed(frame);
}

// Says nothing and counts nothing: for pages nobody has asked for yet.
bool is_sound(char *page, ForkNumber fork, BlockNo block);

// Rows or line pointers that cannot be under a header that can: it lies in one sector, so a torn write leaves
// it whole.  For servers without checksums.
bool seems_torn(char *page, ForkNumber fork, BlockNo block);

}  // namespace glassheap::buffer
