// guard/setting.cpp — see setting.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/setting.hpp"

namespace glassheap::guard {

constinit int mode = kRoute;
constinit int unguarded_mode = kRefuseUnguarded;

void define_settings() {
    static const config_enum_entry kModes[] = {
        {"route", kRoute, false}, {"refuse", kRefuse, false}, {"off", kOff, false}, {nullptr, 0, false}};
    ::DefineCustomEnumVariable(
        "glassheap.import_guard",
        "What happens when another library calls heap's own functions with a glassheap table.",
        "route: the same work is done in glassheap's pool, or refused where that is impossible; refuse: an "
        "error; off: heap's function writes to a second copy of the page, which loses data.",
        &mode, kRoute, kModes, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    static const config_enum_entry kUnguardedModes[] = {
        {"refuse", kRefuseUnguarded, false}, {"warn", kWarnUnguarded, false}, {nullptr, 0, false}};
    ::DefineCustomEnumVariable(
        "glassheap.unguarded_libraries",
        "What happens when a process loads a library whose calls of heap's own functions cannot be guarded.",
        "refuse: it is not loaded, and a server that has it already does not start; warn: a warning in the "
        "log, and if the library works on glassheap tables it loses data.",
        &unguarded_mode, kRefuseUnguarded, kUnguardedModes, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

}  // namespace glassheap::guard
