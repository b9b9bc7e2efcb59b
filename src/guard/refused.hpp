// guard/refused.hpp — which libraries were refused for one that they had brought along by themselves.
//
// Why:    a constructor that loads a library keeps it when its own library is closed again.  At the next
//         attempt that one is nothing new, and nothing says that the two belong together.
// Invariants: guard.U4 what was refused for a library is judged together with it from then on, by this
//            process.
// Locking: is_culprit() may be called while the loader's lock is held, remember_culprit() not.
// Errors: remember_culprit() FATAL without memory: the next attempt must not succeed.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <link.h>
#include <sys/types.h>

#include "guard/unguarded.hpp"

namespace glassheap::guard {

// A file whatever its name, as the loader and PostgreSQL tell them apart.
struct File {
    explicit File(const char *path) noexcept;
    bool operator==(const File &) const = default;
    dev_t device = 0;
    ino_t inode = 0;
};

void remember_culprit(const File &file, const Unguarded &culprit);
bool is_culprit(const File &file, const dl_phdr_info &info) noexcept;

}  // namespace glassheap::guard
