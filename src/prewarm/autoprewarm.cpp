// prewarm/autoprewarm.cpp — after a restart the pool is filled with what it held before.
//
// Why:    a restarted server is slow until its tables are in memory again.
//
// The leader, a background worker, first has the saved list loaded, one database at a time by a second
// worker connected to it (only there can a file be locked against truncation); then it saves the list
// every glassheap.autoprewarm_interval and once more at shutdown.
// Invariants: introspect.A1 only free frames are filled: whoever came first keeps its pages.
//         introspect.A2 a page is read under the relation's AccessShareLock, and only if its file is that
//         long.
// Errors: worker processes: an error ends the process and is logged; the leader is started again.
// See:    prewarm/block_list.hpp; PG: contrib/pg_prewarm/autoprewarm.c.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/setup.hpp"
#include "buffer/stats.hpp"
#include "introspect/target.hpp"
#include "pg/pg_introspect.hpp"
#include "prewarm/block_list.hpp"
#include "prewarm/setup.hpp"

namespace glassheap::prewarm {

using namespace introspect;  // what all rooms of SQL functions share

namespace {

constinit bool autoprewarm = false;
constinit int autoprewarm_interval = 300;

constexpr int kRestartSeconds = 60;

// ---- one relation, inside the worker of its database

// Entries [first, end) are pages of one fork of one relation.
int warm_fork(Relation rel, const BlockEntry *first, const BlockEntry *end) {
    const auto fork = static_cast<ForkNumber>(first->fork);
    if (fork != MAIN_FORKNUM && fork != FSM_FORKNUM) return 0;
    if (!::smgrexists(::RelationGetSmgr(rel), fork)) return 0;
    const BlockNo blocks = ::RelationGetNumberOfBlocksInFork(rel, fork);
    int done = 0;
    for (const BlockEntry *entry = first; entry < end && entry->block < blocks; ++entry) {
        CHECK_FOR_INTERRUPTS();
        buffer::ClockInfo clock;
        buffer::read_clock(&clock);
        if (clock.free_frames <= 0) break;
        // By file and not by relation: nobody has used the table, so its statistics must not begin.
        buffer::read_page(buffer::fork_of(rel, fork), entry->block).release();
        ++done;
    }
    return done;
}

bool same_fork(const BlockEntry &a, const BlockEntry &b) {
    return a.tablespace == b.tablespace && a.filenode == b.filenode && a.fork == b.fork;
}

int warm_one(const BlockEntry *first, const BlockEntry *end) {
    ::StartTransactionCommand();
    int done = 0;
    const Oid relid = pg::relation_of_file(first->tablespace, first->filenode);
    Relation rel = OidIsValid(relid) ? ::try_relation_open(relid, AccessShareLock) : nullptr;
    if (rel != nullptr) {
        // It may have got another file between the look-up and the lock.
        if (pg::number_of(pg::file_of(rel)) == first->filenode && is_glassheap(rel))
            done = warm_fork(rel, first, end);
        ::relation_close(rel, AccessShareLock);
    }
    ::CommitTransactionCommand();
    return done;
}

void warm_database(Oid database) {
    const BlockList list = read_block_list();
    const BlockEntry *end = list.data() + list.size();
    int done = 0;
    for (const BlockEntry *entry = list.data(); entry < end;) {
        const BlockEntry *next = entry + 1;
        while (next < end && next->database == entry->database && same_fork(*next, *entry)) ++next;
        if (entry->database == database) done += warm_one(entry, next);
        entry = next;
    }
    ereport(LOG, (errmsg("glassheap prewarm loaded %d pages of database %u", done, database)));
}

// ---- the leader

void load_saved_list() {
    const BlockList list = read_block_list();
    Oid database = InvalidOid;
    for (const BlockEntry &entry : list) {
        if (std::exchange(database, entry.database) == entry.database) continue;
        if (ShutdownRequestPending) return;
        BackgroundWorker worker = {};
        worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
        worker.bgw_start_time = BgWorkerStart_ConsistentState;
        worker.bgw_restart_time = BGW_NEVER_RESTART;
        worker.bgw_main_arg = ObjectIdGetDatum(database);
        worker.bgw_notify_pid = MyProcPid;
        ::strlcpy(worker.bgw_library_name, "glassheap", sizeof worker.bgw_library_name);
        ::strlcpy(worker.bgw_function_name, "glassheap_prewarm_database_main",
                  sizeof worker.bgw_function_name);
        ::strlcpy(worker.bgw_name, "glassheap prewarm loader", sizeof worker.bgw_name);
        ::strlcpy(worker.bgw_type, "glassheap prewarm loader", sizeof worker.bgw_type);
        BackgroundWorkerHandle *handle;
        if (!::RegisterDynamicBackgroundWorker(&worker, &handle)) {
            ereport(LOG,
                    (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                     errmsg("glassheap prewarm found no free worker process and loads nothing"),
                     errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
            return;
        }
        (void)::WaitForBackgroundWorkerShutdown(handle);
    }
}

void save_list() {
    MemoryContext memory =
        ::AllocSetContextCreateInternal(TopMemoryContext, "glassheap prewarm list", ALLOCSET_DEFAULT_SIZES);
    MemoryContext outer = ::MemoryContextSwitchTo(memory);
    (void)write_block_list(pool_block_list());
    ::MemoryContextSwitchTo(outer);
    ::MemoryContextDelete(memory);
}

long until_next_save(TimestampTz last_save) {
    if (autoprewarm_interval <= 0) return -1;
    const TimestampTz next = TimestampTzPlusMilliseconds(last_save, autoprewarm_interval * 1000L);
    return ::TimestampDifferenceMilliseconds(::GetCurrentTimestamp(), next);
}

void save_until_shutdown() {
    TimestampTz last_save = ::GetCurrentTimestamp();
    while (!ShutdownRequestPending) {
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ::ProcessConfigFile(PGC_SIGHUP);
        }
        const long wait = until_next_save(last_save);
        if (wait == 0) {
            save_list();
            last_save = ::GetCurrentTimestamp();
            continue;
        }
        const int timeout = wait < 0 ? 0 : WL_TIMEOUT;
        (void)::WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | timeout, wait, PG_WAIT_EXTENSION);
        ::ResetLatch(MyLatch);
    }
}

}  // namespace

void define_settings() {
    ::DefineCustomIntVariable("glassheap.autoprewarm_interval",
                              "Sets the interval between saves of the list of pages in glassheap's pool.",
                              "If set to zero, the list is saved only at shutdown.", &autoprewarm_interval,
                              300, 0, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
    ::DefineCustomBoolVariable("glassheap.autoprewarm",
                               "After a restart, loads glassheap's pool with the pages it held before.",
                               nullptr, &autoprewarm, false, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
}

void register_workers() {
    if (!autoprewarm || !process_shared_preload_libraries_in_progress) return;
    BackgroundWorker worker = {};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_ConsistentState;
    worker.bgw_restart_time = kRestartSeconds;
    ::strlcpy(worker.bgw_library_name, "glassheap", sizeof worker.bgw_library_name);
    ::strlcpy(worker.bgw_function_name, "glassheap_prewarm_main", sizeof worker.bgw_function_name);
    ::strlcpy(worker.bgw_name, "glassheap prewarm", sizeof worker.bgw_name);
    ::strlcpy(worker.bgw_type, "glassheap prewarm", sizeof worker.bgw_type);
    ::RegisterBackgroundWorker(&worker);
}

extern "C" {

PGDLLEXPORT void glassheap_prewarm_main(Datum argument);
PGDLLEXPORT void glassheap_prewarm_database_main(Datum argument);

void glassheap_prewarm_main(Datum argument) {
    (void)argument;
    ::pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    ::pqsignal(SIGHUP, SignalHandlerForConfigReload);
    ::BackgroundWorkerUnblockSignals();
    // To no database: only to be seen in pg_stat_activity.
    ::BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    load_saved_list();
    save_until_shutdown();
    save_list();
}

void glassheap_prewarm_database_main(Datum argument) {
    const Oid database = DatumGetObjectId(argument);
    ::pqsignal(SIGTERM, die);
    ::BackgroundWorkerUnblockSignals();
    ::BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    warm_database(database);
}

PG_FUNCTION_INFO_V1(glassheap_autoprewarm_dump_now);
PGDLLEXPORT Datum glassheap_autoprewarm_dump_now(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    buffer::require_ready();
    PG_RETURN_INT64(write_block_list(pool_block_list()));
}

}  // extern "C"

}  // namespace glassheap::prewarm
