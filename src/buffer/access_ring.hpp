// buffer/access_ring.hpp — frames that one large scan recycles.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

class AccessRing {
public:
    RingKind kind;
    int size;
    int at;            // slot used last
    bool reused_last;  // the last victim came out of the ring
    // Reading ahead (bulk_read): runs grow while misses are sequential (read_ahead.cpp).
    BlockNo expected;    // the block after the last run
    BlockNo run;         // length of the next one
    BlockNo ahead_from;  // read in the last run and not asked for yet: ahead_from .. ahead_to - 1
    BlockNo ahead_to;
    FrameNo frames[];  // kNoFrame: not filled yet
};
inline RingKind kind_of(const AccessRing *ring) noexcept {
    return ring == nullptr ? RingKind::none : ring->kind;
}
inline Warmth warmth_by(const AccessRing *ring) noexcept {
    return ring == nullptr ? Warmth::normal : Warmth::ring;
}

}  // namespace glassheap::buffer
