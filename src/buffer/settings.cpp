// buffer/settings.cpp — see buffer/settings.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/settings.hpp"

#include "buffer/setup.hpp"

namespace glassheap::buffer {

constinit int buffers_setting = 16384;
constinit int page_summaries_setting = -1;
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
constexpr int kMostSummaries = 16 * 1024 * 1024;

// What postgresql.conf says is a mere text until the setting is defined; PostgreSQL would answer a value out
// of range with a warning and start with the default.  A pool of another size than asked for is not started.
void require_valid_size(const char *name, int unit, int least, int most, const char *range) {
    const char *text = ::GetConfigOption(name, true, false);
    if (text == nullptr) return;
    int size = 0;
    const char *hint = nullptr;
    if (!::parse_int(text, &size, unit, &hint))
        ereport(FATAL, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid value for parameter \"%s\": \"%s\"", name, text),
                        hint != nullptr ? errhint("%s", hint) : 0));
    if (size < least || size > most)
        ereport(FATAL, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("\"%s\" = %s is outside its range", name, text), errhint("%s", range)));
}

void define_sizes() {
    require_valid_size("glassheap.buffers", GUC_UNIT_BLOCKS, kLeastBuffers, kMostBuffers,
                       "It must be at least 1MB (128 pages of 8kB).");
    ::DefineCustomIntVariable("glassheap.buffers", "Size of glassheap's pool of pages in shared memory.",
                              "Pages of glassheap tables are cached here and not in shared_buffers.",
                              &buffers_setting, 16384, kLeastBuffers, kMostBuffers, PGC_POSTMASTER,
                              GUC_UNIT_BLOCKS, nullptr, nullptr, nullptr);
    require_valid_size("glassheap.page_summaries", GUC_UNIT_KB, -1, kMostSummaries,
                       "It must be between 0 and 16GB, or -1 for a part of glassheap.buffers.");
    ::DefineCustomIntVariable("glassheap.page_summaries",
                              "Size of the memory for what is known of pages that have left the pool.",
                              "1MB is enough for 900MB of tables.  0 keeps nothing, -1 takes a 64th of "
                              "glassheap.buffers.",
                              &page_summaries_setting, -1, -1, kMostSummaries, PGC_POSTMASTER, GUC_UNIT_KB,
                              nullptr, nullptr, nullptr);
}

}  // namespace

void define_settings() {
    define_sizes();
    define_worker_settings();
}

}  // namespace glassheap::buffer
