// guard/unguarded.hpp — a library whose calls cannot be led to us is not let into a process.
//
// Why:    nothing of ours is asked when such a library calls heap_insert, so it must not come to call it.
// Invariants: guard.U1 while the setting is `refuse`, PostgreSQL gets no handle of a library with which one
//            that is unguarded has come into the process, or from which one that was there can be reached.
//         guard.U2 a parallel worker loads what its leader has loaded: the leader was asked.
//         guard.U3 the postmaster refuses when it starts, not when it starts again after a crash: whatever
//            it has was there before, and nothing would be better without a server.
// Locking: none; not to be called while the loader's lock is held.
// Errors: as said; ERROR ends a postmaster.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "guard/functions.hpp"

namespace glassheap::guard {

// A library with calls that are not led to us.
struct Unguarded {
    char library[1024];  // its path: outlives the library
    int entries;         // that could not be changed
    int copies;          // of pointers to the server's functions, which are nobody's entries
    bool functions[kMostGuarded];
};

const char *base_name(const char *path);
// By setting; in a parallel worker that starts, never, nor in a postmaster that starts again.
bool refuses_unguarded();
void note_restart();  // guard.U3
// file: what was asked for; nullptr: the library was there before us.
[[noreturn]] void refuse_library(const char *file, const Unguarded &unguarded);
void warn_of_library(const Unguarded &unguarded);

// This server's libraries cannot be guarded at all, for this reason: an error, or a warning.
void refuse_or_warn_of_server(const char *reason);

}  // namespace glassheap::guard
