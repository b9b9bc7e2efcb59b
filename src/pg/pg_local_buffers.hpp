// pg/pg_local_buffers.hpp — core's buffers for temporary tables.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/buf_internals.h"
}
