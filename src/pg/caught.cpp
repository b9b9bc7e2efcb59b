// pg/caught.cpp — see pg/caught.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "pg/caught.hpp"

#include "pg/pg_buffers.hpp"

extern "C" {
#include "storage/ipc.h"
}

namespace glassheap::pg {

namespace {

constexpr int kLocksMax = 200;  // LWLocks that one process may hold
struct Locks {
    LWLock *held[kLocksMax];
    int count;
};

extern "C" void glassheap_note_lock(LWLock *lock, LWLockMode mode, void *argument) {
    (void)mode;
    auto *locks = static_cast<Locks *>(argument);
    if (locks->count < kLocksMax) locks->held[locks->count++] = lock;
}

void read_locks(Locks *locks) noexcept {
    locks->count = 0;
    ::ForEachLWLockHeldByMe(glassheap_note_lock, locks);
}

int count_locks() noexcept {
    Locks locks;
    read_locks(&locks);
    return locks.count;
}

// The last ones; each release lets one hold of interrupts go, which the error has taken away already.
void release_locks_beyond(int count) noexcept {
    Locks locks;
    read_locks(&locks);
    while (locks.count > count) {
        HOLD_INTERRUPTS();
        ::LWLockRelease(locks.held[--locks.count]);
    }
}

struct Before {
    MemoryContext context;
    ResourceOwner owner;
    std::uint32_t interrupts, cancels;
    int locks;
};

void put_back(const Before &before) noexcept {
    InterruptHoldoffCount = before.interrupts;
    QueryCancelHoldoffCount = before.cancels;
    ::MemoryContextSwitchTo(before.context);
    release_locks_beyond(before.locks);
    ::ConditionVariableCancelSleep();
    pgstat_report_wait_end();
    release_core_buffers();
    CurrentResourceOwner = before.owner;
}

// Two switches turn every ERROR into a FATAL, which nothing catches: the setting exit_on_error, and that the
// process is ending (its signals count for nothing then).
bool try_to_run(void (*body)(void *), void *argument) noexcept {
    const bool exits_on_error = std::exchange(ExitOnAnyError, false);
    const bool is_ending = std::exchange(proc_exit_inprogress, false);
    volatile bool done = false;
    HOLD_INTERRUPTS();
    PG_TRY();
    {
        body(argument);
        done = true;
    }
    PG_CATCH();
    {}
    PG_END_TRY();
    ExitOnAnyError = exits_on_error;
    proc_exit_inprogress = is_ending;
    if (is_ending) InterruptPending = ProcDiePending = QueryCancelPending = false;
    if (done) RESUME_INTERRUPTS();
    return done;
}

// Without the statement and its context: it does not fail.
void log_error(void *argument) {
    (void)argument;
    ErrorData *error = ::CopyErrorData();
    ::FlushErrorState();
    ErrorContextCallback *outer = std::exchange(error_context_stack, nullptr);
    ereport(LOG_SERVER_ONLY, (errcode(error->sqlerrcode), errmsg_internal("%s", error->message),
                              error->detail != nullptr ? errdetail_internal("%s", error->detail) : 0,
                              error->hint != nullptr ? errhint("%s", error->hint) : 0, errhidestmt(true)));
    error_context_stack = outer;
    ::FreeErrorData(error);
}

}  // namespace

bool run_caught(void (*body)(void *), void *argument, Telling telling) noexcept {
    GH_ASSERT(CritSectionCount == 0);
    const Before before = {.context = CurrentMemoryContext,
                           .owner = CurrentResourceOwner,
                           .interrupts = InterruptHoldoffCount,
                           .cancels = QueryCancelHoldoffCount,
                           .locks = count_locks()};
    if (try_to_run(body, argument)) return true;
    put_back(before);
    if (telling == Telling::log && try_to_run(log_error, nullptr)) return false;
    put_back(before);
    ::FlushErrorState();
    return false;
}

}  // namespace glassheap::pg
