// introspect/pool_contents.cpp — what is in the pool: frame by frame, summed up, by relation; and
//         evicting on purpose.
//
// Why:    the names and columns people know from pg_buffercache, at a price that allows asking often.
// Locking: none that a query waits for: frames are peeked at (buffer/stats.hpp).
// Errors: may longjmp (memory; I/O when a dirty page is evicted).
// See:    buffer/README.md; PG: contrib/pg_buffercache.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/setup.hpp"
#include "buffer/stats.hpp"
#include "introspect/pool_sums.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

namespace {

Cell usage_histogram(const std::uint32_t *counts) {
    Datum values[kUsageMax + 1];
    for (int i = 0; i <= kUsageMax; ++i) values[i] = Int32GetDatum(static_cast<int32>(counts[i]));
    return {
        PointerGetDatum(::construct_array(values, kUsageMax + 1, INT4OID, sizeof(int32), true, TYPALIGN_INT)),
        false};
}

// ---- all frames

void add_frame(Rows *rows, FrameNo frame) {
    buffer::FrameInfo info;
    const Cell number = int4(frame + 1);  // buffer ids count from 1, as people are used to
    if (!buffer::peek_frame(frame, &info)) {
        const Cell none = null_cell();
        rows->add({number, none, none, none, none, none, none, none, none, none, none, none});
        return;
    }
    rows->add({number, oid(pg::number_of(info.file)), oid(pg::tablespace_of(info.file)),
               oid(pg::database_of(info.file)), int2(info.fork), int8(info.block), boolean(info.dirty),
               int2(info.usage), int4(info.pins), lsn(info.lsn), boolean(info.io_in_progress),
               int8(info.last_victim_pass)});
}

// ---- sums

struct PoolSums {
    int used;
    int dirty;
    int pinned;
    std::uint64_t usage_total;
    struct {
        int frames;
        int dirty;
        int pinned;
    } by_usage[kUsageMax + 1];
};

PoolSums sum_up() {
    PoolSums sums = {};
    const int frames = buffer::frame_count();
    for (FrameNo frame = 0; frame < frames; ++frame) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info, false)) continue;
        auto &same_usage = sums.by_usage[std::min<int>(info.usage, kUsageMax)];
        sums.used++;
        same_usage.frames++;
        sums.usage_total += info.usage;
        if (info.dirty) {
            sums.dirty++;
            same_usage.dirty++;
        }
        if (info.pins > 0) {
            sums.pinned++;
            same_usage.pinned++;
        }
    }
    return sums;
}

// ---- pushing pages out, or making them dirty

struct PushCounts {
    int done;
    int other;  // flushed, or already dirty
    int skipped;
};

void evict_one(FrameNo frame, PushCounts *counts) {
    const buffer::EvictResult result = buffer::evict_frame(frame);
    counts->done += result.evicted ? 1 : 0;
    counts->other += result.flushed ? 1 : 0;
    counts->skipped += result.evicted ? 0 : 1;
}
void dirty_one(FrameNo frame, PushCounts *counts) {
    const buffer::DirtyResult result = buffer::mark_frame_dirty(frame);
    counts->done += result.dirtied ? 1 : 0;
    counts->other += result.already_dirty ? 1 : 0;
    counts->skipped += result.dirtied || result.already_dirty ? 0 : 1;
}
using PushOne = void (*)(FrameNo, PushCounts *);

PushCounts push_where(const pg::RelFile *file, PushOne push) {
    PushCounts counts = {};
    const int frames = buffer::frame_count();
    for (FrameNo frame = 0; frame < frames; ++frame) {
        CHECK_FOR_INTERRUPTS();
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info, false)) continue;
        if (file == nullptr || pg::is_same_file(info.file, *file)) push(frame, &counts);
    }
    return counts;
}

FrameNo frame_argument(FunctionCallInfo fcinfo, const char *what) {
    if (!::superuser())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to use %s()", what)));
    buffer::require_ready();
    const int32 number = PG_GETARG_INT32(0);
    if (number < 1 || number > buffer::frame_count())
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bad buffer ID: %d", number),
                        errdetail("The pool has buffers 1 to %d.", buffer::frame_count())));
    return number - 1;
}

Datum push_relation(FunctionCallInfo fcinfo, const char *what, PushOne push) {
    if (!::superuser())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to use %s()", what)));
    Relation rel = open_table(PG_GETARG_OID(0));
    if (RelationUsesLocalBuffers(rel))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("relation \"%s\" is temporary: its pages are not in the shared pool",
                               RelationGetRelationName(rel))));
    const PushCounts counts = push_where(&pg::file_of(rel), push);
    close_table(rel);
    return make_record(fcinfo, {int4(counts.done), int4(counts.other), int4(counts.skipped)});
}

Datum push_all(FunctionCallInfo fcinfo, const char *what, PushOne push) {
    if (!::superuser())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to use %s()", what)));
    buffer::require_ready();
    const PushCounts counts = push_where(nullptr, push);
    return make_record(fcinfo, {int4(counts.done), int4(counts.other), int4(counts.skipped)});
}

}  // namespace

HTAB *sum_by_fork() {
    HASHCTL settings = {};
    settings.keysize = sizeof(ForkKey);
    settings.entrysize = sizeof(ForkSums);
    settings.hcxt = CurrentMemoryContext;
    HTAB *table =
        ::hash_create("glassheap pool by relation", 256, &settings, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    const int frames = buffer::frame_count();
    for (FrameNo frame = 0; frame < frames; ++frame) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info, false)) continue;
        ForkKey key = {info.file, info.fork};
        bool found;
        auto *sums = static_cast<ForkSums *>(::hash_search(table, &key, HASH_ENTER, &found));
        if (!found) *sums = ForkSums{.key = key};
        sums->frames++;
        sums->dirty += info.dirty ? 1 : 0;
        sums->pinned += info.pins > 0 ? 1 : 0;
        sums->usage[std::min<int>(info.usage, kUsageMax)]++;
    }
    return table;
}

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_buffercache_pages);
PGDLLEXPORT Datum glassheap_buffercache_pages(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Rows rows(fcinfo);
    const int frames = buffer::frame_count();
    for (FrameNo frame = 0; frame < frames; ++frame) add_frame(&rows, frame);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_summary);
PGDLLEXPORT Datum glassheap_buffercache_summary(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    const PoolSums sums = sum_up();
    return make_record(
        fcinfo,
        {int4(sums.used), int4(buffer::frame_count() - sums.used), int4(sums.dirty), int4(sums.pinned),
         sums.used == 0 ? null_cell() : float8(static_cast<double>(sums.usage_total) / sums.used)});
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_usage_counts);
PGDLLEXPORT Datum glassheap_buffercache_usage_counts(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Rows rows(fcinfo);
    const PoolSums sums = sum_up();
    for (int usage = 0; usage <= kUsageMax; ++usage) {
        const auto &same = sums.by_usage[usage];
        rows.add({int4(usage), int4(same.frames), int4(same.dirty), int4(same.pinned)});
    }
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_forks);
PGDLLEXPORT Datum glassheap_buffercache_forks(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Rows rows(fcinfo);
    HASH_SEQ_STATUS walk;
    ::hash_seq_init(&walk, sum_by_fork());
    while (auto *sums = static_cast<ForkSums *>(::hash_seq_search(&walk))) {
        rows.begin_row();
        rows.add({oid(pg::tablespace_of(sums->key.file)), oid(pg::database_of(sums->key.file)),
                  oid(pg::number_of(sums->key.file)), text_cell(::forkNames[sums->key.fork]),
                  int4(sums->frames), int4(sums->dirty), int4(sums->pinned), usage_histogram(sums->usage)});
    }
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_clock_state);
PGDLLEXPORT Datum glassheap_clock_state(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    buffer::ClockInfo clock;
    buffer::read_clock(&clock);
    return make_record(fcinfo, {int4(clock.hand + 1), int8(clock.passes), int8(clock.allocations),
                                int8(clock.victims), int4(clock.free_frames), int4(clock.writer_ahead)});
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_evict);
PGDLLEXPORT Datum glassheap_buffercache_evict(PG_FUNCTION_ARGS) {
    const buffer::EvictResult result =
        buffer::evict_frame(frame_argument(fcinfo, "glassheap_buffercache_evict"));
    return make_record(fcinfo, {boolean(result.evicted), boolean(result.flushed)});
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_evict_relation);
PGDLLEXPORT Datum glassheap_buffercache_evict_relation(PG_FUNCTION_ARGS) {
    return push_relation(fcinfo, "glassheap_buffercache_evict_relation", evict_one);
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_evict_all);
PGDLLEXPORT Datum glassheap_buffercache_evict_all(PG_FUNCTION_ARGS) {
    return push_all(fcinfo, "glassheap_buffercache_evict_all", evict_one);
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_mark_dirty);
PGDLLEXPORT Datum glassheap_buffercache_mark_dirty(PG_FUNCTION_ARGS) {
    const buffer::DirtyResult result =
        buffer::mark_frame_dirty(frame_argument(fcinfo, "glassheap_buffercache_mark_dirty"));
    return make_record(fcinfo, {boolean(result.dirtied), boolean(result.already_dirty)});
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_mark_dirty_relation);
PGDLLEXPORT Datum glassheap_buffercache_mark_dirty_relation(PG_FUNCTION_ARGS) {
    return push_relation(fcinfo, "glassheap_buffercache_mark_dirty_relation", dirty_one);
}

PG_FUNCTION_INFO_V1(glassheap_buffercache_mark_dirty_all);
PGDLLEXPORT Datum glassheap_buffercache_mark_dirty_all(PG_FUNCTION_ARGS) {
    return push_all(fcinfo, "glassheap_buffercache_mark_dirty_all", dirty_one);
}

}  // extern "C"

}  // namespace glassheap::introspect
