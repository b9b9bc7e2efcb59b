// buffer/silent_holders.hpp — somebody notices that no checkpoint holder is heard of.
//
// Why:    of a holder that is stopped its partner complains (partner_watch.hpp).  If both are, nobody is
//         awake but those who wait: so whoever commits looks while a checkpoint is awaited, a session
//         asks for a sign of life before its CHECKPOINT, and the checkpointer sees who is stopped.
// Invariants: while `checkpoint_awaited` is set no holder rests for longer than the patience: it clears the
//         mark before.
// Locking: none; what it reads is a word each, and a wrong look lasts until the holder's next round.
// Errors: ask_holders waits, and can be cancelled; watch_holders logs.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

// ---- for everybody
void complain_if_silent();
// Inline: at every commit, before its record: an error in the message would be a PANIC after it.
inline void watch_holders() {
    if (pool.shared == nullptr) return;
    if (pool.shared->checkpoint_awaited.load(std::memory_order_relaxed) != 0) complain_if_silent();
}
// Before a CHECKPOINT of this session: waits until one of them has answered, about a millisecond, or until
// it has complained.  The other is not waited for: the one that is awake watches it.
void ask_holders();
// The checkpointer has announced a checkpoint (in its critical section), and will soon wait for the holders.
void checkpoint_is_awaited() noexcept;
// Then: that both have been stopped is seen at once, for perhaps nobody commits who could look.
void complain_if_stopped();

// ---- for the holder
void begin_round();                   // I am alive
void no_checkpoint_waits() noexcept;  // of those that were awaited when my round began

}  // namespace glassheap::buffer
