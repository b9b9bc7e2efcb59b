// redo/replay_watch.hpp — a way out when the records of two histories do not fit one page.
//
// Why:    a table of ours that a library changes in shared_buffers has records of two managers.  Where both
//         changed a page without knowing of each other, and the server died before that was noticed, replay
//         fails, at every start.  So the failure leaves a mark (buffer/two_pools.hpp): the next start
//         replays each history in its own pool, and the table waits for glassheap_resolve.
// How:    through emit_log_hook, which PostgreSQL calls before the failed process ends.
// Errors: none of its own.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "access/xlogreader.h"
}

namespace glassheap::redo {

void watch_replay();                                  // in _PG_init
void begin_record(XLogReaderState *record) noexcept;  // pages of tables are about to be changed
void end_record() noexcept;

}  // namespace glassheap::redo
