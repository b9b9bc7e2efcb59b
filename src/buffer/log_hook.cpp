// buffer/log_hook.cpp — listens to the server's log messages: two of the checkpointer's, one of sessions.
//
// Why:    PostgreSQL has no hook at the start of a checkpoint, but the checkpointer logs it (log_checkpoints
//         is on by default), right after it has published the redo pointer: the holders are woken there and
//         need not look for the pointer fifty times a second.  This is speed, not safety: who misses it finds
//         the pointer after its nap.  And a checkpoint that fails for our veto says why, as does a session
//         of a standby that was cancelled for its pins.
// Locking: none; called within the checkpointer's critical section, so it only counts, sets latches and logs.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "buffer/checkpoint_veto.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/setup.hpp"
#include "buffer/silent_holders.hpp"

namespace glassheap::buffer {

namespace {

emit_log_hook_type next_hook = nullptr;

// In single-user mode, the one process.
bool writes_checkpoints() noexcept {
    return MyBackendType == B_CHECKPOINTER || !IsPostmasterEnvironment;
}

bool is_checkpoint_start(const ErrorData &message) noexcept {
    return MyBackendType == B_CHECKPOINTER && message.elevel == LOG && message.funcname != nullptr &&
           std::strcmp(message.funcname, "LogCheckpointStart") == 0;
}

// Calls at the last two moves of the redo pointer that this holder has seen.
struct SeenCalls {
    std::uint32_t last, before;
    int moves;
};
constinit SeenCalls seen_calls = {};

extern "C" void gh_emit_log(ErrorData *message) {
    if (pool.shared != nullptr) {
        if (is_checkpoint_start(*message)) {
            pool.shared->checkpoint_calls.fetch_add(1);
            checkpoint_is_awaited();
            wake_holder(Holder::guardian);
            wake_holder(Holder::writer);
            complain_if_stopped();
        } else if (message->elevel >= WARNING && writes_checkpoints()) {  // nobody else meets the page
            explain_veto(message);
        } else if (message->elevel >= ERROR) {
            explain_pin_conflict(message);
        }
    }
    if (next_hook != nullptr) next_hook(message);
}

}  // namespace

void install_log_hook() {
    next_hook = emit_log_hook;
    emit_log_hook = gh_emit_log;
}

void redo_pointer_has_moved() noexcept {
    seen_calls = {pool.shared->checkpoint_calls.load(), seen_calls.last, std::min(seen_calls.moves + 1, 2)};
}

// Does LogCheckpointStart reach the hook?  By the settings, and by what was seen: another library may have
// taken the hook and not pass messages on.  (The move before the last, for the call may come after the look.)
bool checkpoints_are_announced() noexcept {
    if (!log_checkpoints || (log_min_messages != LOG && log_min_messages > ERROR)) return false;
    return seen_calls.moves < 2 || pool.shared->checkpoint_calls.load() != seen_calls.before;
}

}  // namespace glassheap::buffer
