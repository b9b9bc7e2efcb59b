// debug/delays.cpp — random short delays at stop points.
//
// Locking: none; may sleep with latches held, as any process may that is not scheduled.  So it is called at
//         places that may wait (GH_STOP_POINT), never in a critical section or under a spin lock.
// Errors: never longjmps; answers no interrupt while it sleeps.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include <cstdlib>

#include "debug/delays.hpp"
#include "pg/pg_random.hpp"

namespace glassheap::debug {

namespace {

constexpr unsigned kMostMicros = 10'000'000;

struct Settings {
    unsigned seed = 0;
    unsigned per_mille = 0;
    unsigned micros = 0;
};
Settings settings;

pg_prng_state numbers;
int numbers_of = 0;  // the process whose they are: a child has those of nobody

void begin_numbers(std::atomic<std::uint32_t> *processes) noexcept {
    numbers_of = MyProcPid;
    const std::uint64_t number = processes->fetch_add(1) + 1;
    ::pg_prng_seed(&numbers, (static_cast<std::uint64_t>(settings.seed) << 32) | number);
}

}  // namespace

void read_delays() noexcept {
    const char *text = std::getenv("GH_STOP_POINT_DELAYS");
    Settings given;
    if (text == nullptr) return;
    int length = 0;
    if (std::sscanf(text, "%u %u %u %n", &given.seed, &given.per_mille, &given.micros, &length) != 3 ||
        text[length] != '\0') {
        ereport(WARNING, (errmsg("GH_STOP_POINT_DELAYS is ignored: \"%s\"", text),
                          errhint("It is \"SEED PER_MILLE MICROSECONDS\".")));
        return;
    }
    given.micros = std::min(given.micros, kMostMicros);
    settings = given;
}

void delay_sometimes(std::atomic<std::uint32_t> *processes) noexcept {
    if (settings.per_mille == 0) return;
    if (numbers_of != MyProcPid) begin_numbers(processes);
    if (::pg_prng_uint64_range(&numbers, 0, 999) >= settings.per_mille) return;
    const std::uint64_t micros = ::pg_prng_uint64_range(&numbers, 0, settings.micros);
    ::pgstat_report_wait_start(PG_WAIT_EXTENSION);
    ::pg_usleep(static_cast<long>(micros));
    ::pgstat_report_wait_end();
}

}  // namespace glassheap::debug
