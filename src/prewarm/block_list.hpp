// prewarm/block_list.hpp — the file glassheap.blocks: which pages were in the pool.
//
// Why:    text, one page a line, so that a person can read it and a damaged line costs only itself.
//
//     glassheap blocks 1
//     database,tablespace,filenode,fork,block
// Errors: may longjmp (I/O, memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <compare>

#include "base/containers.hpp"
#include "pg/pg.hpp"

namespace glassheap::prewarm {

inline constexpr const char *kBlockListFile = "glassheap.blocks";

struct BlockEntry {  // in the order of its fields
    Oid database;
    Oid tablespace;
    Oid filenode;
    int fork;
    BlockNo block;

    auto operator<=>(const BlockEntry &) const noexcept = default;
};
using BlockList = Vector<BlockEntry>;  // sorted

BlockList pool_block_list();                  // of what is in the pool now
int write_block_list(const BlockList &list);  // replaces the file; returns the number of pages
BlockList read_block_list();                  // empty when there is no file; damaged lines are skipped

}  // namespace glassheap::prewarm
