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

namespace {

void define_worker_settings() {
    ::DefineCustomIntVariable(
        "glassheap.writer_delay", "Time the pool writer sleeps between two rounds of writing dirty pages.",
        nullptr, &writer_delay_ms, 200, 10, 10000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    ::DefineCustomIntVariable("glassheap.writer_max_pages",
                              "Most dirty pages the pool writer writes in one round.",
                              "Zero turns the writing ahead of the clock hand off.", &writer_max_pages, 400,
                              0, INT_MAX / 2, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    ::DefineCustomIntVariable(
        "glassheap.guardian_delay",
        "Time a checkpoint guardian sleeps between two looks at the redo pointer when nothing is going on.",
        "A checkpoint waits about two of these before it begins to write.", &guardian_delay_ms, 20, 1, 1000,
        PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    ::DefineCustomBoolVariable(
        "glassheap.debug_guardian_flush", "Lets checkpoints write what is dirty in glassheap's pool.",
        "Turning this off loses data after a crash.  It exists so that crash tests can show that they would "
        "notice.",
        &debug_guardian_flush, true, PGC_SIGHUP, GUC_NOT_IN_SAMPLE, nullptr, nullptr, nullptr);
}

}  // namespace

void define_settings() {
    ::DefineCustomIntVariable("glassheap.buffers", "Size of glassheap's pool of pages in shared memory.",
                              "Pages of glassheap tables are cached here and not in shared_buffers.",
                              &buffers_setting, 16384, 128, INT_MAX / 2, PGC_POSTMASTER, GUC_UNIT_BLOCKS,
                              nullptr, nullptr, nullptr);
    define_worker_settings();
}

}  // namespace glassheap::buffer
