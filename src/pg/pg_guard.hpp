// pg/pg_guard.hpp — a process' virtual transaction id, where PostgreSQL keeps it.
//
// Why:    the checkpoint holders show a virtual transaction without running one (POOL.md 1.1).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/sinvaladt.h"
}

namespace glassheap::pg {

inline void guard_set_lxid(LocalTransactionId lxid) noexcept {
#if PG_VERSION_NUM >= 170000
    MyProc->vxid.lxid = lxid;
#else
    MyProc->lxid = lxid;
#endif
}

}  // namespace glassheap::pg
