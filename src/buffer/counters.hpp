// buffer/counters.hpp — counting, cheaply.
//
// Why:    each process adds to a slot of its own in shared memory with plain stores; readers sum up.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

CounterSet *find_my_counters() noexcept;  // [kRingKinds], of this process' kind
extern CounterSet *my_counters;

inline CounterSet &counters(RingKind kind) noexcept {
    if (my_counters == nullptr) [[unlikely]]
        my_counters = find_my_counters();
    return my_counters[static_cast<int>(kind)];
}
// Only the owner writes: no atomic read-modify-write is needed.
inline void count(std::atomic<std::uint64_t> &counter, std::uint64_t by = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
ProcessSlot *my_process_slot() noexcept;  // nullptr without a process slot

// The relation's counters, made on first use; nullptr when the table has no room for it.
RelationCounters *relation_counters(const pg::RelFile &file, bool make) noexcept;
void drop_relation_counters(const pg::RelFile &file) noexcept;

// Measures while track_io_timing is on.
class IoTimer {
public:
    IoTimer() noexcept {
        if (track_io_timing) INSTR_TIME_SET_CURRENT(start_);
    }
    // Adds the time since to `total` and the counter.
    void stop(instr_time &total, std::atomic<std::uint64_t> &counter) noexcept {
        if (!track_io_timing) return;
        instr_time now;
        INSTR_TIME_SET_CURRENT(now);
        INSTR_TIME_SUBTRACT(now, start_);
        INSTR_TIME_ADD(total, now);
        micros_ = static_cast<std::uint64_t>(INSTR_TIME_GET_MICROSEC(now));
        count(counter, micros_);
    }
    std::uint64_t micros() const noexcept { return micros_; }

private:
    instr_time start_ = {};
    std::uint64_t micros_ = 0;
};

}  // namespace glassheap::buffer
