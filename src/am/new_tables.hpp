// am/new_tables.hpp — which access method a new table gets when its statement does not say.
//
// Why:    default_table_access_method speaks for everybody, extensions too, whose C code often works with
//         heap's functions on tables that their scripts created.  So what extension scripts create stays
//         heap unless it says USING, and glassheap.default_for_new_tables makes ours what users create,
//         and nothing else.
// Invariants: am.N1 USING decides.  am.N2 a session's own SET default_table_access_method decides, so that
//            dumps come back as they were.  am.N3 nothing that an extension creates becomes ours through our
//            setting.
// Errors: may longjmp, as the statements may.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "am/utility_call.hpp"

namespace glassheap::am {

void define_new_table_settings();                        // in _PG_init, before MarkGUCPrefixReserved
void run_extension_script(const UtilityCall &call);      // CREATE EXTENSION, ALTER EXTENSION UPDATE
void change_extension_members(const UtilityCall &call);  // ALTER EXTENSION ADD, DROP
void create_table(UtilityCall call);  // CREATE TABLE, also AS; materialized views; EXPLAIN of them

}  // namespace glassheap::am
