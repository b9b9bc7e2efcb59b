// buffer/counters.cpp — see buffer/counters.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/counters.hpp"

#include "buffer/checkpoint_turn.hpp"
#include "pg/pg_process.hpp"

namespace glassheap::buffer {

constinit CounterSet *my_counters = nullptr;

namespace {

constexpr std::uint32_t kProbes = 16;

IoBackend kind_of_process() noexcept {
    if (my_holder() == Holder::guardian) return IoBackend::guardian;
    if (my_holder() == Holder::writer) return IoBackend::pool_writer;
    if (pg::is_autovacuum_worker()) return IoBackend::autovacuum;
    switch (MyBackendType) {
        case B_BACKEND:
        case B_WAL_SENDER:
            return IoBackend::client;
        case B_AUTOVAC_WORKER:
        case B_AUTOVAC_LAUNCHER:
            return IoBackend::autovacuum;
        case B_BG_WORKER:
            return IoBackend::background;
        case B_STARTUP:
            return IoBackend::startup;
        default:
            return IoBackend::other;
    }
}

std::uint64_t relation_key(const pg::RelFile &file) noexcept {
    const std::uint64_t place = (std::uint64_t{pg::tablespace_of(file)} << 32) | pg::database_of(file);
    const std::uint64_t key = mix_bits(mix_bits(place) + pg::number_of(file));
    return key == 0 ? 1 : key;
}

}  // namespace

ProcessSlot *my_process_slot() noexcept {
    if (!pg::has_process_slot() || pg::my_process_number() >= pool.process_count) return nullptr;
    return &pool.processes[pg::my_process_number()];
}

CounterSet *find_my_counters() noexcept {
    ProcessSlot *slot = my_process_slot();
    if (slot == nullptr)
        slot = &pool.processes[0];  // no process slot yet: only hints of statistics may be lost
    return slot->counts[static_cast<int>(kind_of_process())];
}

RelationCounters *relation_counters(const pg::RelFile &file, bool make) noexcept {
    const std::uint64_t key = relation_key(file);
    const auto home = static_cast<std::uint32_t>(key >> 32);
    for (std::uint32_t i = 0; i < kProbes; ++i) {
        RelationCounters &at = pool.relation_counters[(home + i) & (kRelationCounters - 1)];
        if (at.key.load(std::memory_order_relaxed) == key) return &at;
    }
    if (!make) return nullptr;
    for (std::uint32_t i = 0; i < kProbes; ++i) {
        RelationCounters &at = pool.relation_counters[(home + i) & (kRelationCounters - 1)];
        std::uint64_t none = 0;
        if (!at.key.compare_exchange_strong(none, key)) {
            if (none == key) return &at;
            continue;
        }
        at.reads.store(0, std::memory_order_relaxed);
        at.writes.store(0, std::memory_order_relaxed);
        at.evictions.store(0, std::memory_order_relaxed);
        at.extends.store(0, std::memory_order_relaxed);
        return &at;
    }
    return nullptr;
}

void drop_relation_counters(const pg::RelFile &file) noexcept {
    if (RelationCounters *at = relation_counters(file, false)) at->key.store(0, std::memory_order_relaxed);
}

}  // namespace glassheap::buffer
