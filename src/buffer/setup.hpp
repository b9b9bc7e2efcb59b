// buffer/setup.hpp — what the front door calls to bring the pool up.
//
// Errors: define_settings and request_shared_memory may ereport(FATAL) at postmaster start.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::buffer {

void define_settings();         // glassheap.buffers and friends (all are described in pg_settings)
void request_shared_memory();   // in shmem_request_hook
void init_shared_memory();      // in shmem_startup_hook; also after a crash restart
bool is_ready() noexcept;       // false when the library was not preloaded
bool was_ever_used() noexcept;  // has a frame held a page since the server started?
void require_ready();           // ereports ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE with the line to add
void install_resource_callback();
void install_log_hook();  // in _PG_init

}  // namespace glassheap::buffer
