// buffer/verify.hpp — is a page that came from disk fit for use?
// Errors: verify_page longjmps with ERRCODE_DATA_CORRUPTED, or zeroes the page where that is wanted.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

void verify_page(char *page, const pg::RelFile &node, pg::BackendNo backend, ForkNumber fork, BlockNo block,
                 ReadMode mode);

// Says nothing and counts nothing: for pages nobody has asked for yet.
bool is_sound(char *page, ForkNumber fork, BlockNo block);

}  // namespace glassheap::buffer
