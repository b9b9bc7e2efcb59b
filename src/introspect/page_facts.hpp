// introspect/page_facts.hpp — what there is to say about each page of a table: pages, maps and pictures
//         use it.
//
// Why:    looking must not change what is looked at: a page that is not in the pool is read from disk into a
//         private copy, and frames are looked at before any of them is pinned.
// Locking: a share latch while a cached page is copied.
// Errors: may longjmp (I/O, memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/containers.hpp"
#include "buffer/stats.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

// A page as memory has it, or as the disk has it when it is not in memory.
struct PageLook {
    bool readable;    // false: read from disk, and its checksum or header is wrong
    Xid summary_xid;  // design.D9: newest inserter, when the frame is known to hold committed rows only
};
PageLook look_at_page(Relation rel, BlockNo block, char *copy);

// The frames that hold pages of one fork, by block.
class FrameTable {
public:
    FrameTable(Relation rel, ForkNumber fork);
    const buffer::FrameInfo *find(BlockNo block) const;  // nullptr: not in the shared pool

private:
    Vector<buffer::FrameInfo> frames_;  // sorted
};

struct PageFacts {
    bool readable;
    bool is_new;
    bool all_visible;  // the page's own flag
    std::uint16_t free_bytes;
    std::uint16_t unused;
    std::uint16_t normal;
    std::uint16_t redirected;
    std::uint16_t dead;
    std::uint16_t heap_only;
    Xid newest_xid;  // of all ids in tuple headers; multixacts are not looked into
    Xid prune_xid;
    Xid summary_xid;
    Lsn lsn;
};
PageFacts page_facts(Relation rel, BlockNo block, char *scratch);

}  // namespace glassheap::introspect
