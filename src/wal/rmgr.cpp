// wal/rmgr.cpp — our resource manager enters PostgreSQL's table.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "wal/records.hpp"
#include "wal/rmgr.hpp"
#include "wal/rmgr_callbacks.hpp"

namespace glassheap::wal {

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
    static_assert(kRmgrId >= RM_MIN_CUSTOM_ID);
    if (pg::name_of_manager(kRmgrId) != nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT),
                 errmsg("glassheap cannot be loaded: WAL resource manager id %d is taken by \"%s\"", kRmgrId,
                        pg::name_of_manager(kRmgrId)),
                 errhint("Remove one of the two libraries from shared_preload_libraries, or build glassheap "
                         "with another kRmgrId (src/wal/records.hpp).")));
    ::RegisterCustomRmgr(kRmgrId, &manager);
}

}  // namespace glassheap::wal
