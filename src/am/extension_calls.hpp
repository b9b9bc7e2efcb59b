// am/extension_calls.hpp — is a function of an extension running, and may it create tables?
//
// Why:    a table that an extension's function creates is the extension's, whoever called: its C code may
//         read and write it with heap's functions.
// Invariants: am.E1 the count is right also after errors: every START has its END or its ABORT.  Should
//         another module's hook break that, the count stays too high, and new tables stay heap.
// Errors: the hooks look at the catalog at START only.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::am {

// `wanted` is the setting that makes the question matter; while it is off no function is made special.
void install_extension_call_hooks(const bool *wanted);  // in _PG_init, after the stock readers' hooks
bool in_extension_call() noexcept;

}  // namespace glassheap::am
