// pg/pg_guc.hpp — PostgreSQL's headers for the inside of its settings.
// Versions: 16 keeps the settings in a hash table; get_guc_variables then returns their number.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "utils/guc_tables.h"
}

namespace glassheap::pg {

inline const config_generic *setting_named(const char *name) {
    config_generic **all = ::get_guc_variables();
    for (int i = 0; i < ::GetNumConfigOptions(); ++i)
        if (std::strcmp(all[i]->name, name) == 0) return all[i];
    return nullptr;
}

}  // namespace glassheap::pg
