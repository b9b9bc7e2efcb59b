// pg/pg_worker.hpp — what background workers need of PostgreSQL.
// Versions: 18 lists the registered workers in a dlist.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include <setjmp.h>
#include <signal.h>

#include "postmaster/bgworker_internals.h"
#include "postmaster/bgwriter.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/wait_event.h"
}

namespace glassheap::pg {

// Did this process, or the postmaster before it forked us, register a worker of this name?
inline bool is_worker_registered(const char *name) noexcept {
    for (const slist_node *node = BackgroundWorkerList.head.next; node != nullptr; node = node->next) {
        const auto *entry = reinterpret_cast<const RegisteredBgWorker *>(
            reinterpret_cast<const char *>(node) - offsetof(RegisteredBgWorker, rw_lnode));
        if (std::strcmp(entry->rw_worker.bgw_name, name) == 0) return true;
    }
    return false;
}

}  // namespace glassheap::pg
