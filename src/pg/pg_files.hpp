// pg/pg_files.hpp — PostgreSQL's virtual file descriptors and relation paths.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "catalog/pg_tablespace_d.h"
#include "common/file_perm.h"
#include "common/relpath.h"
#include "storage/fd.h"
#include "utils/wait_event.h"

extern bool ignore_checksum_failure;  // of bufpage.c, which no header declares
}
