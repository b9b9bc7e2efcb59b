// glassheap.cpp — the front door: what happens when the library is loaded.
//
// Why:    one place that shows in which order the rooms come up.  Nothing is set up unless the library is
//         preloaded: shared memory, the resource manager and the workers cannot be had later.  Any use then
//         ends in buffer::require_ready().
// Errors: a failure here keeps the server from starting, with the reason.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "am/ddl_hooks.hpp"
#include "am/executor_hooks.hpp"
#include "am/new_tables.hpp"
#include "am/stock_readers.hpp"
#include "am/table_am.hpp"
#include "buffer/pool.hpp"
#include "buffer/setup.hpp"
#include "debug/stop_points.hpp"
#include "guard/patch.hpp"
#include "guard/setting.hpp"
#include "heap/insert_run.hpp"
#include "lifecycle/changed_owner.hpp"
#include "lifecycle/lifecycle.hpp"
#include "prewarm/setup.hpp"
#include "redo/replay_watch.hpp"
#include "redo/rmgr.hpp"
#include "scan/bitmap_ahead.hpp"
#include "storage/grow.hpp"
#include "wal/emit.hpp"
#include "worker/setup.hpp"

namespace glassheap {

namespace {

shmem_request_hook_type next_shmem_request = nullptr;
shmem_startup_hook_type next_shmem_startup = nullptr;

extern "C" void gh_shmem_request() {
    if (next_shmem_request != nullptr) next_shmem_request();
    buffer::request_shared_memory();
    debug::request_shared_memory();
    guard::request_shared_memory();
}

// Runs at the start of the postmaster, and again after every crash restart.
extern "C" void gh_shmem_startup() {
    if (next_shmem_startup != nullptr) next_shmem_startup();
    buffer::init_shared_memory();
    worker::warn_without_workers();
    debug::init_shared_memory();
    guard::init_shared_memory();
}

void hook_shared_memory() {
    next_shmem_request = shmem_request_hook;
    shmem_request_hook = gh_shmem_request;
    next_shmem_startup = shmem_startup_hook;
    shmem_startup_hook = gh_shmem_startup;
}

// The checkpoint guardian, the pool writer and the two prewarmers come on top of the default number of
// workers, so that parallel queries and logical replication keep theirs.  Whether there are prewarmers does
// not matter: a standby must have room for as many workers as its primary.  Who sets max_worker_processes has
// counted for himself.
void make_room_for_workers() {
    constexpr int kOwnWorkers = 4;
    char wanted[16];
    ::pg_snprintf(wanted, sizeof wanted, "%d", max_worker_processes + kOwnWorkers);
    ::SetConfigOption("max_worker_processes", wanted, PGC_POSTMASTER, PGC_S_DYNAMIC_DEFAULT);
}

}  // namespace

extern "C" {
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init() {
    // pg_upgrade loads every library of the old cluster into the new one before it begins: it must hear then
    // that the new server cannot open our tables, not in the middle.
    if (IsBinaryUpgrade && !process_shared_preload_libraries_in_progress) buffer::require_ready();
    if (!process_shared_preload_libraries_in_progress) return;
    buffer::define_settings();
    storage::define_settings();
    prewarm::define_settings();
    guard::define_settings();
    redo::register_rmgr();
    redo::wrap_core_redo();
    redo::watch_replay();
    lifecycle::install_callbacks();
    lifecycle::install_owner_watch(am::routine());
    heap::install_insert_runs();
    scan::install_bitmap_ahead(am::routine());
    am::install_ddl_hooks();
    am::install_executor_hooks();
    am::install_stock_reader_hooks();
    am::define_new_table_settings();
    buffer::install_resource_callback();
    buffer::install_log_hook();
    buffer::set_hint_image_logger(wal::emit_hint_image);
    make_room_for_workers();
    worker::register_workers();
    prewarm::register_workers();
    hook_shared_memory();
    guard::install();
    MarkGUCPrefixReserved("glassheap");
}

PG_FUNCTION_INFO_V1(glassheap_require_preload);

// Called by the extension's script: CREATE EXTENSION must not succeed on a server that cannot use it.
PGDLLEXPORT Datum glassheap_require_preload(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    buffer::require_ready();
    PG_RETURN_VOID();
}
}

}  // namespace glassheap
