// buffer/frame.hpp — the frames and everything else the pool keeps in shared memory.
//
//   "Glassheap Pool"       PoolShared: clock hand, free list, guardians' turn, counters
//   "Glassheap Pages"      the pages, 8 kB each, aligned for I/O
//   "Glassheap Frames"     one Frame per page (128 bytes)
//   "Glassheap Page Table" heads of hash chains (4 to 8 bytes per frame) and their partition locks
//   "Glassheap Relations"  heads of the chains by relation file, and their locks
//   "Glassheap Relation Counters"  I/O by relation file
//   "Glassheap Page Summaries"  what is known of pages that are not in the pool (page_summaries.hpp)
//   "Glassheap Two Pools"  marks of relations that are in two pools (two_pools.hpp)
//   "Glassheap Processes"  one ProcessSlot per PGPROC: counters and pins a standby's startup may ask for
//
// Locking: order: page table partition, relation partition or summaries' partition, spin lock of the free
//         list.  Nobody sleeps or longjmps while holding one of them.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame_state.hpp"
#include "buffer/page_tag.hpp"
#include "buffer/pool.hpp"
#include "buffer/stats.hpp"

namespace glassheap::buffer {

// The first cache line is what a hit touches.
struct alignas(64) Frame {
    PageTag tag;  // pool.F2 of frame_state.hpp
    FrameState state;
    LWLock latch;                      // of the page's bytes
    std::atomic<std::uint64_t> known;  // design.D9: page summary: flags and an xid, or 0
    std::atomic<FrameNo> chain_next;   // in the page table bucket

    // second line: misses and maintenance.  The condition variable serves waiters for I/O and for pins.
    ConditionVariable waiters;
    FrameNo relation_next;  // under the relation partition
    FrameNo relation_prev;
    FrameNo free_next;                       // under the free list's spin lock
    bool in_free_list;                       // same
    std::atomic<bool> base_all_visible;      // had the version at base_lsn the flag?
    std::atomic<bool> reserved;              // pool.B5
    std::atomic<std::uint32_t> victim_pass;  // clock pass in which it was given away last
    std::atomic<Lsn> disk_lsn;  // of the page as it was last read or written; set by who has the I/O
    // The same, but not of a write after which a reader may have, or core may have written, what was there
    // before (core_copies).  A page stays dirty after such a write, in recovery and over promotion, too.  So
    // of a clean one both are the same, and no older copy of it is in shared_buffers; but for outdated pages,
    // free space, and relations in two pools.
    std::atomic<Lsn> base_lsn;
    std::atomic<Lsn> hint_lsn;  // of a hint image, if nothing else happened to the page since base_lsn
    std::atomic<Lsn> theirs;    // of the version for which OUTDATED was set, as it was seen then

    // `base`: what is in the file now, and nothing older anywhere.  The flag comes first: who sees the LSN
    // sees its flag.
    void note_base(const char *base, Lsn lsn) noexcept {
        base_all_visible.store(page::PageView(base).all_visible(), std::memory_order_relaxed);
        base_lsn.store(lsn, std::memory_order_release);
    }

    static constexpr std::uint64_t kKnown = 1ULL << 32;         // with the newest inserter
    static constexpr std::uint64_t kKeep = 1ULL << 33;          // beside it: worth keeping (pool.K2)
    static constexpr std::uint64_t kSoleInserter = 1ULL << 34;  // with it; its fate is not known
};
static_assert(sizeof(Frame) == 128);

inline constexpr int kPartitions = 128;

struct PartitionLock {
    alignas(64) LWLock lock;
};

// Counters of one kind of access; only the owning process writes them.
struct CounterSet {
    std::atomic<std::uint64_t> reads, writes, writebacks, extends, hits, evictions, reuses, read_us, write_us,
        extend_us;
};
struct alignas(64) ProcessSlot {
    static constexpr int kPinsShown = 32;
    // Frames this process has pinned, kept during recovery only, so that the startup process can find
    // whom a cleanup latch waits for; what does not fit is counted in `pins_unlisted`.
    std::atomic<FrameNo> pins[kPinsShown];  // frame + 1; 0 free
    std::atomic<std::int32_t> pins_unlisted;
    // What the startup process tells the session that it cancels for its pins (recovery_conflict.cpp).
    std::atomic<std::uint64_t> cancelled;
    CounterSet counts[kIoBackends][kRingKinds];
};

// One checkpoint holder (checkpoint_turn.hpp).
struct HolderShared {
    int pid;
    int procno;
    bool present;   // running and willing to take turns
    bool guarding;  // its flag is up
    bool veto;      // its veto is up (checkpoint_veto.hpp)
    bool overdue;   // its partner, or a session, has waited for it in vain (partner_watch.hpp)
    std::atomic<std::int64_t> heard;   // when it was awake last (milliseconds, monotonic; silent_holders.hpp)
    std::atomic<std::uint32_t> beats;  // pages it has written, so it is alive
    std::atomic<std::uint32_t> calls;  // how often it was woken
    PageTag failed;                    // the page it could not write, for messages
};

// What could not be written through, and its veto (left_pages.hpp).
struct LeftPages {
    LWLock lock;                        // raising and lowering, `failed`
    std::atomic<Buffer> veto_page;      // pinned for nobody as long as the server runs
    std::atomic<bool> veto;             // is up
    std::atomic<std::uint32_t> raised;  // how often
    PageTag failed;                     // the last one, for messages
    std::atomic<std::int64_t> tried;    // when (milliseconds, monotonic) all were tried in vain,
    std::atomic<std::uint32_t> calls;   // and checkpoint_calls then
    std::atomic<std::int64_t> told;     // when the log was told last why one could not be written
};

// I/O of one relation file; `key` is a 64-bit mix of its identity, 0: unused.
struct RelationCounters {
    std::atomic<std::uint64_t> key, reads, writes, evictions, extends;
};
inline constexpr std::uint32_t kRelationCounters = 4096;  // power of two

// The pages of the record that core is replaying in shared_buffers (hand_over.hpp).  The startup process
// alone changes it; if it dies, shared memory is made anew.
struct CoreReplay {
    static constexpr int kPagesMax = XLR_MAX_BLOCK_ID + 1;
    slock_t lock;
    int count;
    PageTag pages[kPagesMax];
};

struct PoolShared {
    std::atomic<std::uint64_t> clock;        // ticks of the hand; hand = clock % frames
    std::atomic<std::uint64_t> allocations;  // frames asked for
    std::atomic<bool> writer_rests;          // the next one wakes it
    std::atomic<std::uint64_t> victims;
    std::atomic<std::uint32_t> never_used;  // frames below this number were handed out at least once

    slock_t free_lock;
    FrameNo free_head;
    std::atomic<int> free_count;

    // Checkpoints: everything below `turn` is under it.
    std::atomic<bool> write_back;
    std::atomic<std::uint32_t> checkpoint_calls;  // checkpoints that the checkpointer announced
    // Since when one waits, and when the log was told that no holder is heard of: milliseconds, monotonic; 0:
    // none does, it was not (silent_holders.hpp).
    std::atomic<std::int64_t> checkpoint_awaited, silence_told;
    LWLock turn;
    HolderShared holders[2];
    int last_turn;       // index of the holder that turned last
    int turns_together;  // since both are guarding
    Lsn flushed_redo;

    LeftPages left;
    CoreReplay core_replay;

    // Introspection.  Times are TimestampTz.
    std::atomic<std::uint64_t> guardian_turns, guardian_flushes, guardian_pages, guardian_write_us;
    std::atomic<std::uint64_t> guardian_flushed_redo;
    std::atomic<std::int64_t> guardian_last_turn, guardian_last_flush;
    std::atomic<std::uint64_t> writer_rounds, writer_pages, writer_stops;
    std::atomic<std::int64_t> writer_last_round, stats_since;
    std::atomic<int> writer_ahead;

    int tranche_page, tranche_table, tranche_relations, tranche_turn;
};

// Where this process sees them (the same in all of them; set by init_shared_memory).
struct PoolMap {
    Frame *frames;
    char *pages;
    std::atomic<FrameNo> *buckets;
    std::uint32_t bucket_mask;
    FrameNo *relation_heads;
    std::uint32_t relation_mask;
    PartitionLock *table_locks;
    PartitionLock *relation_locks;
    ProcessSlot *processes;
    int process_count;
    RelationCounters *relation_counters;
    PoolShared *shared;
    int frame_count;
};
extern PoolMap pool;

inline Frame &frame_at(FrameNo frame) noexcept {
    GH_ASSERT(frame >= 0 && frame < pool.frame_count);
    return pool.frames[frame];
}
inline char *page_at(FrameNo frame) noexcept {
    return pool.pages + static_cast<std::size_t>(frame) * page::kPageSize;
}

// A tag read while another process may be changing it: believed only after the pin.
inline bool tag_seems(const Frame &frame, const PageTag &tag) noexcept {
    return __atomic_load_n(&frame.tag.block, __ATOMIC_RELAXED) == tag.block &&
           __atomic_load_n(&frame.tag.relation, __ATOMIC_RELAXED) == tag.relation &&
           __atomic_load_n(&frame.tag.fork, __ATOMIC_RELAXED) == tag.fork &&
           __atomic_load_n(&frame.tag.database, __ATOMIC_RELAXED) == tag.database &&
           __atomic_load_n(&frame.tag.space, __ATOMIC_RELAXED) == tag.space;
}

inline PageTag make_tag(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    return {.space = pg::tablespace_of(file),
            .database = pg::database_of(file),
            .relation = pg::number_of(file),
            .fork = static_cast<std::uint32_t>(fork),
            .block = block};
}
inline pg::RelFile file_of(const PageTag &tag) noexcept {
    return {tag.space, tag.database, tag.relation};
}
inline ForkNumber fork_number(const PageTag &tag) noexcept {
    return static_cast<ForkNumber>(tag.fork);
}

// The page LSN as one atomic word: hint images set it under the share latch, beside a flusher reading it.
inline Lsn load_page_lsn(const char *page) noexcept {
    std::uint64_t halves;
    __atomic_load(reinterpret_cast<const std::uint64_t *>(page), &halves, __ATOMIC_ACQUIRE);
    return (halves << 32) | (halves >> 32);
}
void advance_page_lsn(char *page, Lsn lsn) noexcept;  // never backwards

}  // namespace glassheap::buffer
