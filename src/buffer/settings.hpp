// buffer/settings.hpp — the pool's configuration variables.  All are described in settings.cpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::buffer {

extern int buffers_setting;         // glassheap.buffers, in pages
extern int page_summaries_setting;  // glassheap.page_summaries, in kB; -1: a part of the pool
extern int writer_delay_ms;         // glassheap.writer_delay
extern int writer_max_pages;        // glassheap.writer_max_pages
extern int guardian_delay_ms;       // glassheap.guardian_delay
extern bool debug_guardian_flush;   // glassheap.debug_guardian_flush
extern bool debug_tripwire;         // glassheap.debug_tripwire

}  // namespace glassheap::buffer
