// redo/replay_watch.cpp — see redo/replay_watch.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "buffer/two_pools.hpp"
#include "redo/replay_watch.hpp"
#include "storage/aside.hpp"

namespace glassheap::redo {

namespace {

emit_log_hook_type next_log = nullptr;
constinit XLogReaderState *current = nullptr;

// What core and we say when a record does not fit its page; not a failed read or write, nor a full disk.
bool is_about_contents(int code) noexcept {
    return code == ERRCODE_INTERNAL_ERROR || code == ERRCODE_DATA_CORRUPTED;
}

// The relations of the record that were changed in both pools get a mark.
bool mark_relations(XLogReaderState *record) noexcept {
    bool marked = false;
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref) {
        if (!XLogRecHasBlockRef(record, ref)) continue;
        const pg::RelFile &file = pg::file_of_block_ref(record, ref);
        if (buffer::have_met(file) && storage::try_write_mark(file)) marked = true;
    }
    return marked;
}

extern "C" void gh_log(ErrorData *error) {
    if (current != nullptr && error->elevel >= FATAL && is_about_contents(error->sqlerrcode)) {
        XLogReaderState *record = std::exchange(current, nullptr);
        if (mark_relations(record) && error->hint == nullptr)
            error->hint = ::pstrdup(
                "Code that bypasses the table access method changed a glassheap table.  Start the server "
                "again: "
                "the table is now marked as in two buffer pools, see glassheap_resolve.");
    }
    if (next_log != nullptr) next_log(error);
}

}  // namespace

void watch_replay() {
    next_log = emit_log_hook;
    emit_log_hook = gh_log;
}

void begin_record(XLogReaderState *record) noexcept {
    current = record;
}

void end_record() noexcept {
    current = nullptr;
}

}  // namespace glassheap::redo
