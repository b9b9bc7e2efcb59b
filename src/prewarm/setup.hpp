// prewarm/setup.hpp — what the front door calls for the SQL surface.
//
// Errors: define_settings may ereport(FATAL) at postmaster start.
// SPDX-License-Identifier: PostgreSQL
#pragma once

namespace glassheap::prewarm {

void define_settings();   // glassheap.autoprewarm and friends; before MarkGUCPrefixReserved
void register_workers();  // in _PG_init: the automatic prewarm worker

}  // namespace glassheap::prewarm
