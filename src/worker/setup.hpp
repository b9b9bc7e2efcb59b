// worker/setup.hpp — what the front door calls for the workers.
//
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::worker {

void register_workers();      // in _PG_init: checkpoint guardian and pool writer
void warn_without_workers();  // in shmem_startup_hook: what was registered and did not fit

}  // namespace glassheap::worker
