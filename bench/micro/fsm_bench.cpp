// bench/micro/fsm_bench.cpp — one page of the free space map: change of a leaf, search for room.
// SPDX-License-Identifier: PostgreSQL
#include <benchmark/benchmark.h>

#include <cstring>

#include "fsm/fsm_page.hpp"

using namespace glassheap;

namespace {

struct alignas(8) Page {
    char bytes[page::kPageSize];
};

void set_leaf(benchmark::State &state) {
    Page page;
    std::memset(page.bytes, 0, sizeof page.bytes);
    fsm::FsmPage map(page.bytes);
    int slot = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(map.set(slot, static_cast<std::uint8_t>(slot)));
        slot = (slot + 1237) % fsm::kSlotsPerPage;
    }
}
BENCHMARK(set_leaf);

}  // namespace
