// buffer/shared.cpp — asks for the pool's shared memory and lays it out.
//
// Why:    the only place that knows sizes; runs again after a crash restart, on empty memory.
// Errors: FATAL at postmaster start when glassheap.buffers cannot work.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include <unistd.h>

#include "buffer/checkpoint_turn.hpp"
#include "buffer/frame.hpp"
#include "buffer/page_summaries.hpp"
#include "buffer/settings.hpp"
#include "buffer/setup.hpp"
#include "buffer/two_pools.hpp"

namespace glassheap::buffer {

constinit PoolMap pool = {};

namespace {

constexpr std::size_t kPageAlign = 4096;

struct Layout {
    std::uint32_t frames, buckets, relation_buckets;
    int processes;

    std::size_t frame_bytes() const noexcept { return frames * sizeof(Frame) + alignof(Frame); }
    std::size_t page_bytes() const noexcept { return frames * page::kPageSize + kPageAlign; }
    std::size_t table_bytes() const noexcept {
        return buckets * sizeof(FrameNo) + (kPartitions + 1) * sizeof(PartitionLock);
    }
    std::size_t relation_bytes() const noexcept {
        return relation_buckets * sizeof(FrameNo) + (kPartitions + 1) * sizeof(PartitionLock);
    }
    std::size_t process_bytes() const noexcept {
        return static_cast<std::size_t>(processes + 1) * sizeof(ProcessSlot);
    }
    std::size_t counter_bytes() const noexcept { return kRelationCounters * sizeof(RelationCounters); }
    std::size_t pool_bytes() const noexcept { return sizeof(PoolShared) + 64; }
};

std::uint32_t power_of_two_from(std::uint32_t least) noexcept {
    std::uint32_t n = kPartitions;
    while (n < least) n *= 2;
    return n;
}

Layout layout() noexcept {
    const auto frames = static_cast<std::uint32_t>(buffers_setting);
    return {.frames = frames,
            .buckets = power_of_two_from(frames),
            .relation_buckets = power_of_two_from(frames / 8),
            .processes = MaxBackends + NUM_AUXILIARY_PROCS};
}

template <typename T>
T *align_to(void *memory, std::size_t alignment) noexcept {
    const auto address = (reinterpret_cast<std::uintptr_t>(memory) + alignment - 1) & ~(alignment - 1);
    return reinterpret_cast<T *>(address);
}

void check_fits_in_memory() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_size = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_size <= 0) return;
    const std::uint64_t physical = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_size);
    const std::uint64_t wanted = static_cast<std::uint64_t>(buffers_setting) * page::kPageSize;
    if (wanted <= physical) return;
    ereport(FATAL, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("\"glassheap.buffers\" is larger than the machine's memory"),
                    errdetail("It asks for " UINT64_FORMAT " MB; the machine has " UINT64_FORMAT " MB.",
                              wanted >> 20, physical >> 20),
                    errhint("Set glassheap.buffers to a smaller value in postgresql.conf.")));
}

void *allocate(const char *name, std::size_t size, bool *found) {
    return ::ShmemInitStruct(name, size, found);
}

void map_table(const Layout &l) {
    bool found;
    void *memory = allocate("Glassheap Page Table", l.table_bytes(), &found);
    pool.table_locks = align_to<PartitionLock>(memory, alignof(PartitionLock));
    pool.buckets = reinterpret_cast<std::atomic<FrameNo> *>(pool.table_locks + kPartitions);
    pool.bucket_mask = l.buckets - 1;
    memory = allocate("Glassheap Relations", l.relation_bytes(), &found);
    pool.relation_locks = align_to<PartitionLock>(memory, alignof(PartitionLock));
    pool.relation_heads = reinterpret_cast<FrameNo *>(pool.relation_locks + kPartitions);
    pool.relation_mask = l.relation_buckets - 1;
}

void map_memory(const Layout &l, bool *found) {
    void *memory = allocate("Glassheap Pool", l.pool_bytes(), found);
    pool.shared = align_to<PoolShared>(memory, 64);
    bool dummy;
    pool.pages = align_to<char>(allocate("Glassheap Pages", l.page_bytes(), &dummy), kPageAlign);
    pool.frames = align_to<Frame>(allocate("Glassheap Frames", l.frame_bytes(), &dummy), alignof(Frame));
    map_table(l);
    pool.processes = align_to<ProcessSlot>(allocate("Glassheap Processes", l.process_bytes(), &dummy),
                                           alignof(ProcessSlot));
    pool.process_count = l.processes;
    pool.relation_counters =
        static_cast<RelationCounters *>(allocate("Glassheap Relation Counters", l.counter_bytes(), &dummy));
    pool.frame_count = static_cast<int>(l.frames);
}

void init_frames(const PoolShared &shared) {
    for (FrameNo i = 0; i < pool.frame_count; ++i) {
        Frame *f = new (&pool.frames[i]) Frame;
        f->tag = {};
        ::LWLockInitialize(&f->latch, shared.tranche_page);
        f->known.store(0, std::memory_order_relaxed);
        f->chain_next.store(kNoFrame, std::memory_order_relaxed);
        ::ConditionVariableInit(&f->waiters);
        f->relation_next = f->relation_prev = f->free_next = kNoFrame;
        f->in_free_list = false;
        f->base_all_visible.store(false, std::memory_order_relaxed);
        f->victim_pass.store(0, std::memory_order_relaxed);
        f->disk_lsn.store(kInvalidLsn, std::memory_order_relaxed);
        f->base_lsn.store(kInvalidLsn, std::memory_order_relaxed);
        f->hint_lsn.store(kInvalidLsn, std::memory_order_relaxed);
    }
}

void init_tables(const PoolShared &shared) {
    for (int i = 0; i < kPartitions; ++i) {
        ::LWLockInitialize(&pool.table_locks[i].lock, shared.tranche_table);
        ::LWLockInitialize(&pool.relation_locks[i].lock, shared.tranche_relations);
    }
    for (std::uint32_t i = 0; i <= pool.bucket_mask; ++i)
        pool.buckets[i].store(kNoFrame, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i <= pool.relation_mask; ++i) pool.relation_heads[i] = kNoFrame;
}

void init_pool(const Layout &l) {
    PoolShared &shared = *pool.shared;
    std::memset(static_cast<void *>(&shared), 0, sizeof shared);
    SpinLockInit(&shared.free_lock);
    SpinLockInit(&shared.core_replay.lock);
    shared.free_head = kNoFrame;
    shared.last_turn = -1;
    shared.stats_since.store(::GetCurrentTimestamp(), std::memory_order_relaxed);
    shared.tranche_page = ::LWLockNewTrancheId();
    shared.tranche_table = ::LWLockNewTrancheId();
    shared.tranche_relations = ::LWLockNewTrancheId();
    shared.tranche_turn = ::LWLockNewTrancheId();
    ::LWLockInitialize(&shared.turn, shared.tranche_turn);
    ::LWLockInitialize(&shared.left.lock, shared.tranche_turn);
    init_frames(shared);
    init_tables(shared);
    std::memset(static_cast<void *>(pool.processes), 0,
                static_cast<std::size_t>(l.processes) * sizeof(ProcessSlot));
    std::memset(static_cast<void *>(pool.relation_counters), 0, l.counter_bytes());
}

}  // namespace

void request_shared_memory() {
    check_fits_in_memory();
    const Layout l = layout();
    for (const std::size_t bytes :
         {l.pool_bytes(), l.page_bytes(), l.frame_bytes(), l.table_bytes(), l.relation_bytes(),
          l.process_bytes(), l.counter_bytes(), page_summaries_bytes(), two_pools_bytes()})
        ::RequestAddinShmemSpace(::add_size(bytes, PG_CACHE_LINE_SIZE));
}

void init_shared_memory() {
    const Layout l = layout();
    bool found;
    ::LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    map_memory(l, &found);
    if (!found) init_pool(l);
    map_page_summaries(!found);
    map_two_pools(!found);
    ::LWLockRelease(AddinShmemInitLock);
    ::LWLockRegisterTranche(pool.shared->tranche_page, "GlassheapPage");
    ::LWLockRegisterTranche(pool.shared->tranche_table, "GlassheapPageTable");
    ::LWLockRegisterTranche(pool.shared->tranche_relations, "GlassheapRelations");
    ::LWLockRegisterTranche(pool.shared->tranche_turn, "GlassheapCheckpointTurn");
}

bool is_ready() noexcept {
    return pool.shared != nullptr;
}

bool was_ever_used() noexcept {
    return is_ready() && pool.shared->never_used.load(std::memory_order_relaxed) != 0;
}

void require_ready() {
    if (is_ready()) [[likely]]
        return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("glassheap must be loaded via shared_preload_libraries"),
                    errhint("Add this line to postgresql.conf and restart the server: "
                            "shared_preload_libraries = 'glassheap'")));
}

std::size_t overhead_bytes() noexcept {
    const Layout l = layout();
    return l.pool_bytes() + l.frame_bytes() + l.table_bytes() + l.relation_bytes() + l.process_bytes() +
           l.counter_bytes() + page_summaries_bytes() + two_pools_bytes();
}

}  // namespace glassheap::buffer
