// buffer/checkpoint_turn.hpp — the two holders of checkpoints and the protocol between them (design.D3).
//
// Why:    a checkpoint may only go on when every page dirtied before its redo pointer is written.  Core's
//         checkpointer waits for each virtual transaction that had the flag of pg::delay_checkpoints when it
//         looked.  Two holders keep that flag up for ever and take turns: look at the redo pointer, write
//         what is dirty if it moved, and only then take a new virtual transaction id, which lets earlier
//         checkpoints go.
// Invariants: ckpt.C1 a holder rotates only in its own turn, and turns alternate.  So between a checkpoint's
//            publishing its redo pointer and the first turn that reads it, the holder of that turn has not
//            rotated: the checkpointer waits for it (doc/design/checkpoints.md#why-two-holders has the proof;
//            one holder alone loses data).
//         ckpt.C2 write-back is on only while both are guarding.  However a holder ends, it lowers its flag
//            last: after the mode is off and all that was dirtied before is written, or its veto is up
//            (ckpt.C4).  If both leave, the second flushes when the first is gone, with or without a veto:
//            in a shutdown nobody comes who would lower that.
//         ckpt.C3 a lone holder lowers its flag: in write-through mode every writer protects itself.  But not
//            while the partner, on leaving, still has its flag up: a checkpoint may have let the partner go
//            for an earlier rotation and count on this flag alone.  Nor does it rotate meanwhile.
//         ckpt.C4 a turn whose flush failed raises the holder's veto (checkpoint_veto.hpp) and rotates: the
//            checkpoint goes on, and fails.  Until the veto is lowered no turn rotates without another try.
//            It counts as a turn together: both guard, and what was missed has a veto.
//         ckpt.C5 a holder whose partner is there and does not guard may rotate at will: nothing rests on its
//            flag before the two turns together that turn write-back on.
//         ckpt.C6 a turn that has passed pages over, because somebody reads them into shared_buffers, does
//            not rotate and stays open: rounds later it writes them, and only then rotates.  In between its
//            holder has no lock, latch or claim, so that the checkpointer alone waits.  Until the holder
//            rotates it is one turn, however long: the redo pointer is read again each time, and if it has
//            moved, everything is written again.  A partner that leaves takes care of itself (ckpt.C2).
//            After kReaderPatienceMs, or two seconds while a veto is up, it has failed (ckpt.C4): counted
//            from the first page passed over, however often the pointer moves (for a lone holder, with each
//            failed checkpoint).
// Locking: PoolShared::turn is held during a turn with its flush; nothing else is taken before it.  It is
//         taken conditionally, so that a holder whose partner is stopped in the middle of a turn can
//         still say so.
// Errors: take_turn may longjmp (I/O); after_failed_round then ends the turn.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

enum class Holder : std::int8_t { none = -1, guardian = 0, writer = 1 };
Holder my_holder() noexcept;

void join_as(Holder holder);  // once per worker process, after it is in ProcArray; also arms leaving at exit
struct TurnResult {
    bool flushed;        // the redo pointer had moved
    bool open;           // it is not over: a page is being read into shared_buffers
    bool partner_awake;  // the partner should take its turn soon
    bool hurry;          // more turns should follow at once
    bool busy;           // the partner has the turn
    bool settled;        // nothing to do before the next checkpoint
};
TurnResult take_turn();
void after_failed_round();  // after an error was logged and everything was given back
// Inline: every change asks.
inline bool is_write_back() noexcept {
    return pool.shared->write_back.load();
}
void wake_holder(Holder holder) noexcept;  // sets its latch, if it is there
// Was this holder woken since the last call?  A wait inside its round (for I/O, say) may have taken the
// latch.
bool was_called() noexcept;
// Has a checkpoint begun since the last call?  And would we be told (log_hook.cpp)?
bool checkpoint_was_announced() noexcept;
bool checkpoints_are_announced() noexcept;
void redo_pointer_has_moved() noexcept;  // the caller has seen so

}  // namespace glassheap::buffer
