// buffer/pool_internal.hpp — what the files of this room share, and introspection may use.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/counters.hpp"
#include "buffer/frame.hpp"
#include "buffer/page_table.hpp"
#include "buffer/pins.hpp"

namespace glassheap::buffer {

// The only maker of PinnedPages out of frames the caller has pinned.
class PoolAccess {
public:
    static PinnedPage adopt(FrameNo frame, char *data, BlockNo block) noexcept {
        return PinnedPage(frame, data, block);
    }
    static PinnedPage adopt_shared(FrameNo frame, BlockNo block) noexcept {
        return PinnedPage(frame, page_at(frame), block);
    }
};

// ---- replace.cpp
// A frame that belongs to the caller alone: one pin (in the pin table), no tag.  May write a dirty page
// first.
FrameNo claim_victim(AccessRing *ring);
// Same, but kNoFrame when everything is pinned, instead of patience.
FrameNo claim_victim_at_once(AccessRing *ring);
// Gives such a frame back.
void free_held(FrameNo frame) noexcept;
// A frame without pins or tag goes to the free list.
void push_free(FrameNo frame) noexcept;
FrameNo clock_hand() noexcept;

// ---- load.cpp
struct LoadRequest {
    PageTag tag;
    std::uint32_t hash;
    bool permanent;
    Warmth warmth;
    AccessRing *ring;
};
LoadRequest make_request(const ForkRef &fork, BlockNo block, AccessRing *ring) noexcept;
struct Found {
    FrameNo frame;  // pinned
    bool mine;      // this process has the read I/O and must end it
};
// Pins the frame of the page, making one if need be; waits for somebody else's read.
Found find_or_insert(const LoadRequest &request);
// Same, with a frame claimed before (kNoFrame: claim one); always consumes it.
Found find_or_insert_with(const LoadRequest &request, FrameNo held);
void finish_read(FrameNo frame, bool ok) noexcept;
// Inserts `held` under the tag, or finds (pins) the page that is there and frees `held`.
Found insert_or_find(const LoadRequest &request, FrameNo held);
// False: the page is damaged, and the mode wants none then.
bool read_into(FrameNo frame, const LoadRequest &request, ReadMode mode);

// ---- read_ahead.cpp
// Reads the page, of which the caller has the I/O, and in a sequential scan the next ones with it.
void read_run(FrameNo frame, const LoadRequest &request, ReadMode mode);
// Was the block, now a hit, read by this scan ahead of time?  Then it counts as a read.
bool take_read_ahead(AccessRing *ring, BlockNo block) noexcept;

// ---- hand_over.cpp
// Is core changing this page in replay?
bool is_core_replaying(const PageTag &tag) noexcept;

// ---- recovery_conflict.cpp
void wait_while_pinned_in_recovery(FrameNo frame, TimestampTz waiting_since, bool *logged);
// Every frame is pinned: cancels those who keep them, as soon as they may be.  Does not wait.
void end_pins_in_recovery(TimestampTz waiting_since, bool *logged);
// The session's last message to its client, if that is it (recovery.K4).
void explain_pin_conflict(ErrorData *message);

}  // namespace glassheap::buffer
