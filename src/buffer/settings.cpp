// buffer/settings.cpp — see buffer/settings.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/settings.hpp"

#include "buffer/setup.hpp"

namespace glassheap::buffer {

constinit int buffers_setting = 16384;
constinit int writer_delay_ms = 200;
constinit int writer_max_pages = 400;
constinit int guardian_delay_ms = 20;
constinit bool debug_guardian_flush = true;
constinit bool debug_tripwire = true;

namespace {

void define_worker_settings() {
    ::DefineCustomIntVariable(
        "glassheap.writer_delay", "Time the pool writer sleeps between two rounds of writing dirty pages.",
        nullptr, &writer_delay_ms, 200, 10, 10000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    ::DefineCustomIntVariable("glassheap.writer_max_pages",
                              "Most dirty pages the pool writer writes in one round.",
                              "Zero turns the writing ahead of the clock hand off.", &writer_max_pages, 400,
                              0, INT_MAX / 2, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    ::DefineCustomIntVariable("glassheap.guardian_delay",
                              "Time a checkpoint guardian sleeps between two looks at the redo pointer while "
                              "log_checkpoints is off.",
                              "A checkpoint waits about two of these before it begins to write.",
                              &guardian_delay_ms, 20, 1, 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                              nullptr);
    ::DefineCustomBoolVariable(
        "glassheap.debug_guardian_flush", "Lets checkpoints write what is dirty in glassheap's pool.",
        "Turning this off loses data after a crash.  It exists so that crash tests can show that they would "
        "notice.",
        &debug_guardian_flush, true, PGC_SIGHUP, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
    ::DefineCustomBoolVariable(
        "glassheap.debug_tripwire", "Looks for pages of glassheap tables in shared_buffers.",
        "Turning this off lets code that bypasses the table access method damage tables silently.  It exists "
        "so "
        "that tests can show that they would notice.",
        &debug_tripwire, true, PGC_SIGHUP, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
}

constexpr int kLeastBuffers = 128;
constexpr int kMostBuffers = INT_MAX / 2;

// What postgresql.conf says is a mere text until the setting is defined; PostgreSQL would answer a value out
// of range with a warning and start with the default.  A pool of another size than asked for is not started.
void require_valid_pool_size() {
    const char *text = ::GetConfigOption("glassheap.buffers", true, false);
    if (text == nullptr) return;
    int buffers = 0;
    const char *hint = nullptr;
    if (!::parse_int(text, &buffers, GUC_UNIT_BLOCKS, &hint))
        ereport(FATAL, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for parameter \"glassheap.buffers\": \"%s\"", text),
                        hint != nullptr ? errhint("%s", hint) : 0));
    if (buffers < kLeastBuffers || buffers > kMostBuffers)
        ereport(FATAL, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("\"glassheap.buffers\" = %s is outside its range", text),
                        errhint("It must be at least 1MB (%d pages of 8kB).", kLeastBuffers)));
}

}  // namespace

void define_settings() {
    require_valid_pool_size();
    ::DefineCustomIntVariable("glassheap.buffers", "Size of glassheap's pool of pages in shared memory.",
                              "Pages of glassheap tables are cached here and not in shared_buffers.",
                              &buffers_setting, 16384, kLeastBuffers, kMostBuffers, PGC_POSTMASTER,
                              GUC_UNIT_BLOCKS, nullptr, nullptr, nullptr);
    define_worker_settings();
}

}  // namespace glassheap::buffer
