// buffer/checkpoint_turn.hpp — the two holders of checkpoints and the protocol between them (D3).
//
// Why:    a checkpoint may only go on when every page dirtied before its redo pointer is written.  Core's
//         checkpointer waits for each virtual transaction that had DELAY_CHKPT_START when it looked.  Two
//         holders keep that flag up for ever and take turns: look at the redo pointer, write what is dirty
//         if it moved, and only then take a new virtual transaction id, which lets earlier checkpoints go.
// Invariants: C1 a holder rotates only in its own turn, and turns alternate.  So between a checkpoint's
//            publishing its redo pointer and the first turn that reads it, the holder of that turn has not
//            rotated: the checkpointer waits for it (POOL.md 1.4 has the proof; one holder alone loses data).
//         C2 write-back is on only while both are guarding; a leaving holder turns it off, writes everything,
//            and only then drops its flag.
//         C3 a lone holder lowers its flag: in write-through mode every writer protects itself.  But not
//            while the partner, on leaving, still has its flag up: a checkpoint may have let the partner go
//            for an earlier rotation and count on this flag alone.  Nor does it rotate meanwhile.
// Locking: PoolShared::turn is held during a turn with its flush; nothing else is taken before it.
// Errors: take_turn may longjmp (I/O); the flag stays up, the checkpoint waits, the next turn tries again.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::buffer {

enum class Holder : std::int8_t { none = -1, guardian = 0, writer = 1 };
Holder my_holder() noexcept;

void join_as(Holder holder);  // once per worker process, after it is in ProcArray; also arms leaving at exit
struct TurnResult {
    bool flushed;        // the redo pointer had moved
    bool partner_awake;  // the partner should take its turn soon
};
TurnResult take_turn();
bool is_write_back() noexcept;

}  // namespace glassheap::buffer
