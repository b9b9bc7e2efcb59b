// worker/worker_loop.cpp — see worker/worker_loop.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "worker/worker_loop.hpp"

#include "pg/pg_buffers.hpp"
#include "pg/pg_smgr.hpp"
#include "pg/pg_worker.hpp"
#include "pg/resource.hpp"

namespace glassheap::worker {

namespace {

constexpr long kPauseAfterErrorMs = 1'000L;

void connect() {
    ::pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    ::pqsignal(SIGHUP, SignalHandlerForConfigReload);
    ::BackgroundWorkerUnblockSignals();
    ::BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    ::pgstat_report_appname(MyBgworkerEntry->bgw_type);
}

// What an abort would do, without a transaction.
void clean_up_after_error(MemoryContext context) {
    HOLD_INTERRUPTS();
    ::EmitErrorReport();
    ::LWLockReleaseAll();
    ::ConditionVariableCancelSleep();
    pgstat_report_wait_end();
    pg::release_all_pins();
    pg::release_core_buffers();
    ::AtEOXact_Files(false);
    ::MemoryContextSwitchTo(context);
    ::FlushErrorState();
    ::MemoryContextReset(context);
    RESUME_INTERRUPTS();
}

void chores() {
    if (ShutdownRequestPending) ::proc_exit(1);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ::ProcessConfigFile(PGC_SIGHUP);
    }
    ::AcceptInvalidationMessages();
}

void pause_after_error(const Loop &loop) {
    if (loop.pause != nullptr)
        loop.pause(kPauseAfterErrorMs);
    else
        ::pg_usleep(kPauseAfterErrorMs * 1000L);
    pg::close_all_files();
}

void nap(long milliseconds) {
    ::WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds, PG_WAIT_EXTENSION);
    ::ResetLatch(MyLatch);
}

}  // namespace

bool is_signalled() noexcept {
    return InterruptPending || ShutdownRequestPending || ConfigReloadPending;
}

bool run_part(void (*part)()) {
    MemoryContext context = CurrentMemoryContext;
    volatile bool done = false;
    PG_TRY();
    {
        part();
        done = true;
    }
    PG_CATCH();
    {
        clean_up_after_error(context);
        pg::close_all_files();
    }
    PG_END_TRY();
    return done;
}

void run_loop(const Loop &loop) {
    connect();
    MemoryContext context =
        ::AllocSetContextCreateInternal(TopMemoryContext, loop.memory_name, ALLOCSET_DEFAULT_SIZES);
    ::MemoryContextSwitchTo(context);
    loop.start();
    sigjmp_buf here;
    static bool failed = false;
    if (sigsetjmp(here, 1) != 0) {
        error_context_stack = nullptr;
        clean_up_after_error(context);
        failed = true;
    }
    PG_exception_stack = &here;
    if (failed) {
        failed = false;
        loop.after_error();
        pause_after_error(loop);
    }
    for (;;) {
        chores();
        loop.was_called();
        const long milliseconds = loop.round();
        ::MemoryContextReset(context);
        nap(is_signalled() || loop.was_called() ? 0 : milliseconds);
    }
}
}  // namespace glassheap::worker
