// introspect/activity.cpp — what the pool has done: I/O by process and context, its writer, its guardian.
//
// Why:    the columns of pg_stat_io, pg_stat_bgwriter and pg_stat_checkpointer (17's shape) for our pool.
// Locking: none; counters are read while others count.
// Errors: may longjmp (memory).
// See:    buffer/stats.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/setup.hpp"
#include "buffer/silent_holders.hpp"
#include "buffer/stats.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "storage/files.hpp"

namespace glassheap::introspect {

namespace {

using buffer::IoBackend;
using buffer::RingKind;

struct BackendName {
    IoBackend backend;
    const char *name;
};
// Names as in pg_stat_activity.backend_type where there is one process of a kind.
constexpr BackendName kBackends[] = {
    {IoBackend::client, "client backend"},
    {IoBackend::autovacuum, "autovacuum worker"},
    {IoBackend::background, "background worker"},
    {IoBackend::pool_writer, "glassheap pool writer"},
    {IoBackend::guardian, "glassheap checkpoint guardian"},
    {IoBackend::startup, "startup"},
    {IoBackend::other, "other"},
};
struct ContextName {
    RingKind ring;
    const char *name;
};
constexpr ContextName kContexts[] = {
    {RingKind::bulk_read, "bulkread"},
    {RingKind::bulk_write, "bulkwrite"},
    {RingKind::none, "normal"},
    {RingKind::vacuum, "vacuum"},
};

Cell milliseconds(std::uint64_t us) {
    return float8(static_cast<double>(us) / 1000.0);
}

void add_io(Rows *rows, const BackendName &who, const ContextName &context) {
    buffer::IoCounts io;
    buffer::read_io_counts(who.backend, context.ring, &io);
    const bool ring = context.ring != RingKind::none;
    rows->begin_row();
    // Our pool never fsyncs: its writes are handed to the checkpointer, so these two columns are null.
    rows->add({text_cell(who.name), text_cell("relation"), text_cell(context.name), int8(io.reads),
               milliseconds(io.read_us), int8(io.writes), milliseconds(io.write_us), int8(io.writebacks),
               null_cell(), int8(io.extends), milliseconds(io.extend_us), int8(BLCKSZ), int8(io.hits),
               int8(io.evictions), ring ? int8(io.reuses) : null_cell(), null_cell(), null_cell(),
               timestamp(buffer::stats_since())});
}

std::uint64_t sum_over_backends(std::uint64_t buffer::IoCounts::*counter) {
    std::uint64_t sum = 0;
    for (const BackendName &who : kBackends)
        for (const ContextName &context : kContexts) {
            buffer::IoCounts io;
            buffer::read_io_counts(who.backend, context.ring, &io);
            sum += io.*counter;
        }
    return sum;
}

const char *name_of(buffer::PoolMode mode) {
    switch (mode) {
        case buffer::PoolMode::write_back:
            return "write-back";
        case buffer::PoolMode::replay:
            return "replay";
        case buffer::PoolMode::write_through:
            break;
    }
    return "write-through";
}

Cell unwritable_page(const buffer::GuardianInfo &guardian) {
    if (!guardian.unwritable) return null_cell();
    const char *path = storage::path_of(guardian.failed_file, pg::kNoBackend, guardian.failed_fork);
    return text_cell(::psprintf("block %u of relation %s", guardian.failed_block, path));
}

Cell pid_cell(int pid) {
    return pid == 0 ? null_cell() : int4(pid);
}
Cell lsn_or_null(Lsn value) {
    return value == kInvalidLsn ? null_cell() : lsn(value);
}

// Oldest page LSN among dirty frames: how far back a crash would need the log for our pages, roughly.
Lsn oldest_dirty_lsn() {
    Lsn oldest = kInvalidLsn;
    const int frames = buffer::frame_count();
    for (FrameNo frame = 0; frame < frames; ++frame) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info) || !info.dirty || info.lsn == kInvalidLsn) continue;
        if (oldest == kInvalidLsn || info.lsn < oldest) oldest = info.lsn;
    }
    return oldest;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_stat_io_rows);
PGDLLEXPORT Datum glassheap_stat_io_rows(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Rows rows(fcinfo);
    for (const BackendName &who : kBackends)
        for (const ContextName &context : kContexts) add_io(&rows, who, context);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_stat_bgwriter_row);
PGDLLEXPORT Datum glassheap_stat_bgwriter_row(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    buffer::WriterInfo writer;
    buffer::read_writer(&writer);
    buffer::ClockInfo clock;
    buffer::read_clock(&clock);
    return make_record(fcinfo,
                       {int8(writer.pages_written), int8(writer.maxwritten_stops), int8(clock.allocations),
                        timestamp(buffer::stats_since()), pid_cell(writer.pid), int8(writer.rounds),
                        timestamp(writer.last_round), int4(clock.writer_ahead)});
}

PG_FUNCTION_INFO_V1(glassheap_stat_checkpointer_row);
PGDLLEXPORT Datum glassheap_stat_checkpointer_row(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    buffer::watch_holders();
    buffer::GuardianInfo guardian;
    buffer::read_guardian(&guardian);
    const Lsn oldest = oldest_dirty_lsn();
    const Lsn now = ::RecoveryInProgress() ? ::GetXLogReplayRecPtr(nullptr) : ::GetXLogInsertRecPtr();
    const Lsn lag = oldest == kInvalidLsn || oldest > now ? 0 : now - oldest;
    return make_record(
        fcinfo, {int8(guardian.flushes), milliseconds(guardian.write_us), int8(guardian.pages_written),
                 timestamp(buffer::stats_since()), pid_cell(guardian.pid), int8(guardian.turns),
                 timestamp(guardian.last_turn), timestamp(guardian.last_flush),
                 text_cell(name_of(guardian.mode)), lsn_or_null(guardian.flushed_redo), lsn_or_null(oldest),
                 int8(lag), pid_cell(guardian.waiting_for), unwritable_page(guardian)});
}

// glassheap_relation_io(tablespace oid, relfilenode oid): for the view glassheap_stat_tables.
PG_FUNCTION_INFO_V1(glassheap_relation_io);
PGDLLEXPORT Datum glassheap_relation_io(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    Oid tablespace = PG_GETARG_OID(0);
    if (!OidIsValid(tablespace)) tablespace = MyDatabaseTableSpace;
    const pg::RelFile file = pg::make_file(tablespace, MyDatabaseId, PG_GETARG_OID(1));
    buffer::RelationIo io = {};
    (void)buffer::read_relation_io(file, &io);
    return make_record(fcinfo, {int8(io.reads), int8(io.writes), int8(io.evictions), int8(io.extends)});
}

PG_FUNCTION_INFO_V1(glassheap_stat_summaries);
PGDLLEXPORT Datum glassheap_stat_summaries(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    buffer::SummariesInfo info;
    buffer::read_summaries(&info);
    return make_record(fcinfo,
                       {int8(info.bytes), int8(info.extents), int8(info.extents_used), int8(info.asked),
                        int8(info.found), int8(info.kept), timestamp(buffer::stats_since())});
}

PG_FUNCTION_INFO_V1(glassheap_stat_totals);
PGDLLEXPORT Datum glassheap_stat_totals(PG_FUNCTION_ARGS) {
    buffer::require_ready();
    return make_record(
        fcinfo,
        {int8(sum_over_backends(&buffer::IoCounts::hits)), int8(sum_over_backends(&buffer::IoCounts::reads)),
         int8(sum_over_backends(&buffer::IoCounts::writes)),
         int8(sum_over_backends(&buffer::IoCounts::extends)),
         int8(sum_over_backends(&buffer::IoCounts::evictions)), timestamp(buffer::stats_since())});
}

PG_FUNCTION_INFO_V1(glassheap_stat_reset);
PGDLLEXPORT Datum glassheap_stat_reset(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    buffer::require_ready();
    buffer::reset_stats();
    PG_RETURN_VOID();
}

}  // extern "C"

}  // namespace glassheap::introspect
