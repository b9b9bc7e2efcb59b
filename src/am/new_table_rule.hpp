// am/new_table_rule.hpp — the parts of the choice of a new table's access method that need no server.
//
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstdint>

namespace glassheap::am {

// Where two settings came from, as GucSource ranks it: configuration file below ALTER DATABASE below ALTER
// ROLE below the connection's options below SET.
struct SettingRanks {
    int default_method;  // default_table_access_method
    int new_tables;      // glassheap.default_for_new_tables
    int session;         // of a SET
};

// May glassheap.default_for_new_tables replace default_table_access_method = heap?  The more special of the
// two decides.  A SET of the latter always does: pg_dump writes it before the tables, for heap tables too.
constexpr bool new_tables_setting_decides(const SettingRanks &ranks) noexcept {
    return ranks.default_method < ranks.session && ranks.new_tables >= ranks.default_method;
}

// pg_repack's copy of a table is called table_<OID of the table>: that OID, or 0 for any other name.
constexpr std::uint32_t repacked_original(const char *name) noexcept {
    constexpr const char *kPrefix = "table_";
    for (const char *p = kPrefix; *p != '\0'; ++p, ++name)
        if (*name != *p) return 0;
    if (*name < '1' || *name > '9') return 0;
    std::uint64_t oid = 0;
    for (; *name >= '0' && *name <= '9'; ++name) {
        oid = oid * 10 + static_cast<std::uint64_t>(*name - '0');
        if (oid > UINT32_MAX) return 0;
    }
    return *name == '\0' ? static_cast<std::uint32_t>(oid) : 0;
}

}  // namespace glassheap::am
