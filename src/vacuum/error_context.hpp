// vacuum/error_context.hpp — the context line of errors: which block or index was being worked on.  Internal.
// Errors: called while an error is being reported; only formats.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::vacuum {

// arg: a VacuumState.
extern "C" void gh_vacuum_error_context(void *arg);

}  // namespace glassheap::vacuum
