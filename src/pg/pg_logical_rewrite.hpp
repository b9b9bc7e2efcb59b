// pg/pg_logical_rewrite.hpp — files that map old row addresses to new ones, for logical decoding.
// Errors: see pg/pg.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

#include <fcntl.h>

extern "C" {
#include "access/heapam_xlog.h"
#include "access/rewriteheap.h"
#include "storage/fd.h"
#include "utils/wait_event.h"
}
