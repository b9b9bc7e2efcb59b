// buffer/pins.cpp — see buffer/pins.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/pins.hpp"

#include "buffer/io.hpp"
#include "buffer/local_pool.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"

namespace glassheap::buffer {

constinit int shown_pins = 0;
constinit FrameNo cleanup_wait = kNoFrame;

void leave_cleanup_wait(FrameNo frame) noexcept {
    if (cleanup_wait != frame) return;
    cleanup_wait = kNoFrame;
    frame_at(frame).state.end_cleanup_wait();
}

void show_pin(FrameNo frame) noexcept {
    ProcessSlot *slot = my_process_slot();
    if (slot == nullptr || MyBackendType == B_STARTUP) return;
    ++shown_pins;
    for (auto &pin : slot->pins) {
        if (pin.load(std::memory_order_relaxed) != 0) continue;
        pin.store(frame + 1);
        return;
    }
    slot->pins_unlisted.fetch_add(1);
}

void hide_pin(FrameNo frame) noexcept {
    ProcessSlot *slot = my_process_slot();
    if (slot == nullptr) return;
    for (auto &pin : slot->pins) {
        if (pin.load(std::memory_order_relaxed) != frame + 1) continue;
        pin.store(0);
        --shown_pins;
        return;
    }
    // Pins made after recovery ended were never shown.
    if (slot->pins_unlisted.load() > 0) {
        slot->pins_unlisted.fetch_sub(1);
        --shown_pins;
    }
}

void drop_shared_pin(FrameNo frame) noexcept {
    if (frame < kNoFrame) {
        local_unpin(frame);
        return;
    }
    Frame &f = frame_at(frame);
    // An error ended our wait: the flag must go while the frame cannot become another page's.
    if (cleanup_wait == frame) [[unlikely]]
        leave_cleanup_wait(frame);
    // After the decrement the frame may become anybody's: the process that sees one remaining pin wakes
    // whoever waits for that, at worst needlessly.
    const StateBits after = f.state.unpin();
    if (shown_pins > 0) [[unlikely]]
        hide_pin(frame);
    if (after.has(StateBits::kCleanupWaiter) && after.pins() == 1) [[unlikely]]
        ::ConditionVariableBroadcast(&f.waiters);
    if (after.doomed() && after.pins() == 0) [[unlikely]] {
        f.state.reset();
        push_free(frame);
    }
}

namespace {

void describe_pin(FrameNo frame, char *buf, std::size_t size) noexcept {
    if (frame < kNoFrame) {
        ::pg_snprintf(buf, size, "page %d of the temporary tables' pool", -2 - frame);
        return;
    }
    const Frame &f = frame_at(frame);
    ::pg_snprintf(buf, size, "frame %d, relation file %u/%u/%u fork %u block %u, %u pins in all", frame,
                  f.tag.space, f.tag.database, f.tag.relation, f.tag.fork, f.tag.block,
                  f.state.load().pins());
}

}  // namespace

void install_resource_callback() {
    pg::install_pin_owner({drop_shared_pin, abort_io_claims, describe_pin});
}

}  // namespace glassheap::buffer
