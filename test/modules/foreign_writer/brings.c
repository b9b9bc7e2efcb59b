/*
 * brings.c: a library that calls none of heap's functions, but brings one along that does.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
