// vacuum/dead_memory.cpp — the memory behind the dead items, within what the settings grant.
//
// Why:    dead_items is pure; the settings, the allocator and progress reporting are PostgreSQL's.
// Errors: may longjmp (out of memory).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "pg/pg_process.hpp"
#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

std::size_t granted_bytes() {
    const bool own_setting = pg::is_autovacuum_worker() && autovacuum_work_mem != -1;
    const int kilobytes = own_setting ? autovacuum_work_mem : maintenance_work_mem;
    return static_cast<std::size_t>(kilobytes) * 1024;
}

}  // namespace

void allocate_dead_items(VacuumState &state) {
    // Without indexes dead items become unused when the page is visited: nothing is remembered.
    const BlockNo blocks = state.index_count > 0 ? state.pages_at_start : 0;
    std::size_t bytes = std::min(DeadItems::bytes_wanted(blocks), granted_bytes());
    bytes = std::max(bytes, DeadItems::bytes_required(blocks));
    const std::size_t words = bytes / sizeof(std::uint64_t);
    // Address space only: pages of memory come into being when they are first written.
    auto *memory = static_cast<std::uint64_t *>(
        ::MemoryContextAllocHuge(CurrentMemoryContext, words * sizeof(std::uint64_t)));
    state.dead_memory = memory;
    state.dead = new (pg::make_raw<DeadItems>()) DeadItems(std::span(memory, words), blocks);
}

void release_dead_items(VacuumState &state) {
    ::pfree(state.dead);
    ::pfree(state.dead_memory);
    state.dead = nullptr;
    state.dead_memory = nullptr;
}

void collect_dead_items(VacuumState &state, BlockNo block, std::span<const SlotNo> slots) {
    state.counts.pages_with_dead_items++;
    state.counts.dead_items += static_cast<std::int64_t>(slots.size());
    state.dead->add(block, slots);
    pg::report_dead_items(state.dead->count());
}

}  // namespace glassheap::vacuum
