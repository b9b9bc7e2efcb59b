// pg/pg_guarded.hpp — the functions of PostgreSQL that work on a table's pages without its access method.
//
// Why:    guard/ needs their declarations and addresses; some exist in later minor releases only and must not
//         keep the module from being loaded into an earlier one.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/genam.h"
#include "access/nbtree.h"
#include "access/parallel.h"
#include "access/rewriteheap.h"
#include "access/visibilitymap.h"
#include "access/xloginsert.h"
#include "catalog/indexing.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_transform.h"
#include "common/hashfn.h"
#include "storage/freespace.h"
#include "storage/pg_shmem.h"
}

// An entry of a table for a function that came with a minor release.
#if PG_VERSION_NUM >= 150010
extern "C" {
[[gnu::weak]] extern decltype(heap_inplace_lock) heap_inplace_lock;
[[gnu::weak]] extern decltype(systable_inplace_update_begin) systable_inplace_update_begin;
}
#define GH_SINCE_15_10(...) __VA_ARGS__,
#else
#define GH_SINCE_15_10(...)
#endif
