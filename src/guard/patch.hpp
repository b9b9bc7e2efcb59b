// guard/patch.hpp — libraries that call heap's functions are made to call ours (README.md).
//
// Errors: those of unguarded.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "guard/functions.hpp"
#include "pg/pg.hpp"

namespace glassheap::guard {

void install();                // in _PG_init, after define_settings
void request_shared_memory();  // in shmem_request_hook
void init_shared_memory();     // in shmem_startup_hook; also after a crash restart

// One guarded function that one loaded library imports.
struct ForeignUse {
    const char *library;  // its path
    const Guarded *function;
    int entries;  // of the library's linkage table and data
    int guarded;  // of them, those that lead to us
};
// Calls visit(use, argument) for every one in this process; visit must not raise errors.
void each_foreign_use(void (*visit)(const ForeignUse &use, void *argument), void *argument);

}  // namespace glassheap::guard
