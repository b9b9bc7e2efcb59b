// buffer/pins.hpp — pinning and unpinning one frame, with the backend's private count in front.
//
// Why:    a second pin of the same page by the same backend is an increment in private memory.
// Errors: never longjmps, but reserve_pin() may (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"
#include "pg/resource.hpp"

namespace glassheap::buffer {

inline void reserve_pin() {
    pg::pin_table.reserve();
}

void show_pin(FrameNo frame) noexcept;  // to the startup process of a standby
void hide_pin(FrameNo frame) noexcept;
extern int shown_pins;

// The frame whose CLEANUP_WAITER flag is this process' (latch.cpp, pool.A2).
extern FrameNo cleanup_wait;
void leave_cleanup_wait(FrameNo frame) noexcept;

inline void enter_first_pin(FrameNo frame) noexcept {
    pg::pin_table.add_first(frame);
    if (::RecoveryInProgress()) [[unlikely]]
        show_pin(frame);
}
// Pins a shared frame that is (or seems to be) in the page table.  Precondition: reserve_pin().
inline bool pin_frame(FrameNo frame, Warmth warmth) noexcept {
    if (pg::pin_table.add_if_pinned(frame)) return true;
    if (!frame_at(frame).state.try_pin(warmth)) return false;
    enter_first_pin(frame);
    return true;
}
void drop_shared_pin(FrameNo frame) noexcept;  // also local frames
inline void unpin_frame(FrameNo frame) noexcept {
    if (pg::pin_table.remove(frame)) drop_shared_pin(frame);
}

}  // namespace glassheap::buffer
