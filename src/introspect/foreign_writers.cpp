// introspect/foreign_writers.cpp — libraries of this process that call heap's own functions.
//
// Errors: may longjmp, but not while the loader's lock is held (guard::each_foreign_use).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "base/containers.hpp"
#include "buffer/setup.hpp"
#include "guard/patch.hpp"
#include "introspect/rows.hpp"

namespace glassheap::introspect {

namespace {

using Found = Vector<guard::ForeignUse>;

// What does not fit is left out rather than allocated under the loader's lock.
void remember(const guard::ForeignUse &use, void *argument) noexcept {
    auto *found = static_cast<Found *>(argument);
    if (found->size() < found->capacity()) found->push_back(use);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_foreign_writers);
PGDLLEXPORT Datum glassheap_foreign_writers(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Found found;
    found.reserve(1000);
    guard::each_foreign_use(remember, &found);
    Rows rows(fcinfo);
    for (const guard::ForeignUse &use : found) {
        rows.begin_row();
        rows.add({text_cell(use.library), text_cell(use.function->name),
                  text_cell(use.function->routed ? "route" : "refuse"), int4(use.entries),
                  int4(use.guarded)});
    }
    return 0;
}

}  // extern "C"

}  // namespace glassheap::introspect
