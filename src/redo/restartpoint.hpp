// redo/restartpoint.hpp — replay of a checkpoint record: may a restartpoint begin here?
//
// Why:    a restartpoint makes recovery start later, so it must not pass over pages that could not be
//         written, or over which an older copy may yet be written.  Core refrains from it while it knows of
//         a missing page (RecoveryRestartPoint): it is shown one.  Replay goes on, as a failed restartpoint
//         of core's own pages does not stop it either: a file that cannot be written now may be
//         writable at the next checkpoint record.
//         Promotion and the end of recovery still need every page written: an error there ends the
//         startup process.
// Errors: none of its own; what cannot be written is reported in the log.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::redo {

// Writes the pool, then replays the record with `core`, which keeps the place for a restartpoint only if all
// is well.
void redo_checkpoint(XLogReaderState *record, void (*core)(XLogReaderState *));

}  // namespace glassheap::redo
