// heap/new_cid.hpp — command ids for logical decoding of tables that are used as catalogs.
//
// Why:    with user_catalog_table an output plugin reads the table while decoding, with a historic snapshot
//         that needs cmin and cmax of each version; PostgreSQL carries them in records of its own heap.
// Errors: may stand in a critical section.
// WAL:    core's XLOG_HEAP2_NEW_CID, which replays as nothing.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::heap {

// Does nothing for ordinary tables.  t_self and t_data are those of the version as stored.
void log_command_ids(Relation rel, const HeapTupleData &tuple);

}  // namespace glassheap::heap
