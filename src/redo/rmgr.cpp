// redo/rmgr.cpp — our resource manager enters PostgreSQL's table.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "redo/rmgr.hpp"
#include "redo/rmgr_callbacks.hpp"
#include "wal/records.hpp"

namespace glassheap::redo {

namespace {

RmgrData manager = {
    .rm_name = "glassheap",
    .rm_redo = gh_rm_redo,
    .rm_desc = gh_rm_desc,
    .rm_identify = gh_rm_identify,
    .rm_startup = nullptr,
    .rm_cleanup = gh_rm_cleanup,
    .rm_mask = gh_rm_mask,
    .rm_decode = gh_rm_decode,
};

}  // namespace

void register_rmgr() {
    static_assert(wal::kRmgrId >= RM_MIN_CUSTOM_ID);
    if (pg::name_of_manager(wal::kRmgrId) != nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT),
                 errmsg("glassheap cannot be loaded: WAL resource manager id %d is taken by \"%s\"",
                        wal::kRmgrId, pg::name_of_manager(wal::kRmgrId)),
                 errhint("Remove one of the two libraries from shared_preload_libraries, or build glassheap "
                         "with another wal::kRmgrId (src/wal/records.hpp).")));
    ::RegisterCustomRmgr(wal::kRmgrId, &manager);
}

}  // namespace glassheap::redo
