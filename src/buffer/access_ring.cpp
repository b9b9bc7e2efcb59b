// buffer/access_ring.cpp — making rings; choosing out of them is in replace.cpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/access_ring.hpp"

namespace glassheap::buffer {

namespace {

int ring_frames(RingKind kind) noexcept {
    constexpr int kFramesPerMb = 1024 / static_cast<int>(page::kPageSize / 1024);  // frames per megabyte
    const int wanted = kind == RingKind::bulk_write ? 16 * kFramesPerMb : kFramesPerMb / 4;
    return std::max(1, std::min(wanted, pool.frame_count / 8));
}

AccessRing *make_in(MemoryContext context, RingKind kind) {
    const int size = ring_frames(kind);
    auto *ring = static_cast<AccessRing *>(
        ::MemoryContextAlloc(context, sizeof(AccessRing) + static_cast<std::size_t>(size) * sizeof(FrameNo)));
    ring->kind = kind;
    ring->size = size;
    ring->at = 0;
    ring->reused_last = false;
    ring->expected = kInvalidBlock;
    ring->run = 1;
    ring->ahead_from = ring->ahead_to = 0;
    for (int i = 0; i < size; ++i) ring->frames[i] = kNoFrame;
    return ring;
}

}  // namespace

AccessRing *make_ring(RingKind kind) {
    if (kind == RingKind::none) return nullptr;
    return make_in(CurrentMemoryContext, kind);
}

void free_ring(AccessRing *ring) {
    if (ring != nullptr) ::pfree(ring);
}

AccessRing *bulk_write_ring() {
    static AccessRing *ring = nullptr;
    if (ring == nullptr) ring = make_in(TopMemoryContext, RingKind::bulk_write);
    return ring;
}

}  // namespace glassheap::buffer
