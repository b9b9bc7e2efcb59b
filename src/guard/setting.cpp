// guard/setting.cpp — see setting.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/setting.hpp"

namespace glassheap::guard {

constinit int mode = kRoute;

void define_settings() {
    static const config_enum_entry kModes[] = {
        {"route", kRoute, false}, {"refuse", kRefuse, false}, {"off", kOff, false}, {nullptr, 0, false}};
    ::DefineCustomEnumVariable(
        "glassheap.import_guard",
        "What happens when another library calls heap's own functions with a glassheap table.",
        "route: the same work is done in glassheap's pool, or refused where that is impossible; refuse: an "
        "error; off: heap's function writes to a second copy of the page, which loses data.",
        &mode, kRoute, kModes, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

}  // namespace glassheap::guard
