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
    FrameNo frames[];  // kNoFrame: not filled yet
};
inline RingKind kind_of(const AccessRing *ring) noexcept {
    return ring == nullptr ? RingKind::none : ring->kind;
}

}  // namespace glassheap::buffer
