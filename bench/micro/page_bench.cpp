// bench/micro/page_bench.cpp — the page edits that every row passes through.
// SPDX-License-Identifier: PostgreSQL
#include <benchmark/benchmark.h>

#include <cstring>

#include "page/page_check.hpp"
#include "page/page_edit.hpp"

using namespace glassheap;

namespace {

constexpr std::size_t kTupleBytes = 120;

struct alignas(8) Page {
    char bytes[page::kPageSize];
};

void make_tuple(char *tuple) {
    std::memset(tuple, 0, kTupleBytes);
    auto *head = reinterpret_cast<page::TupleHead *>(tuple);
    head->xmin = 100;
    head->infomask2 = 3;
    head->hoff = 24;
}

// Fills the page; returns the number of tuples that fitted.
int fill(const page::PageEdit &edit) {
    alignas(8) char tuple[kTupleBytes];
    make_tuple(tuple);
    edit.init();
    int count = 0;
    while (edit.put_tuple(edit.choose_slot(), tuple, kTupleBytes)) ++count;
    return count;
}

void fill_page(benchmark::State &state) {
    Page page;
    const page::PageEdit edit(page.bytes);
    int tuples = 0;
    for (auto _ : state) {
        tuples += fill(edit);
        benchmark::DoNotOptimize(page.bytes);
    }
    state.SetItemsProcessed(tuples);
}
BENCHMARK(fill_page);

void defragment_half_dead_page(benchmark::State &state) {
    Page full;
    Page page;
    const int tuples = fill(page::PageEdit(full.bytes));
    SlotNo unused[page::kPageSize / kTupleBytes];
    std::size_t count = 0;
    for (int slot = 2; slot <= tuples; slot += 2) unused[count++] = static_cast<SlotNo>(slot);
    for (auto _ : state) {
        std::memcpy(page.bytes, full.bytes, sizeof page.bytes);
        page::PageEdit(page.bytes).apply_prune({}, {}, {unused, count});
        benchmark::DoNotOptimize(page.bytes);
    }
}
BENCHMARK(defragment_half_dead_page);

}  // namespace
