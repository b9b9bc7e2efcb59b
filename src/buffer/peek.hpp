// buffer/peek.hpp — where a page's bytes are, for a processor's prefetch and nothing else.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/pool.hpp"

namespace glassheap::buffer {

// The page's place in shared memory if it is in the pool now, else nullptr.  Unpinned: another page may be
// there at any moment, so the bytes must not be believed.
const char *peek_page(Relation rel, ForkNumber fork, BlockNo block) noexcept;
// Has the processor fetch what peek_page will look at: called some rows earlier, it takes the wait out of it.
void touch_frame(Relation rel, ForkNumber fork, BlockNo block) noexcept;

}  // namespace glassheap::buffer
