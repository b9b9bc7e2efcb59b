// lifecycle/lifecycle.cpp — transaction callbacks, and the creation of files.
//
// See:    lifecycle.hpp; doc/design/files.md#events (order of core's steps at commit and abort).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "base/containers.hpp"
#include "buffer/hand_over.hpp"
#include "buffer/silent_holders.hpp"
#include "debug/stop_points.hpp"
#include "lifecycle/changed_owner.hpp"
#include "lifecycle/lifecycle.hpp"
#include "lifecycle/newborn.hpp"

namespace glassheap::lifecycle {

namespace {

enum class EventKind : std::uint8_t {
    temp_created,  // forget at abort
    temp_dropped,  // forget at commit
    synced,        // wal_level = minimal: flush before commit
};

struct FileEvent {
    pg::OwnedFile owned;
    int nest_level;
    EventKind kind;
};
// The last ones at the end, so levels never fall along the list.
constinit ContextList<FileEvent> events{&TopTransactionContext};
// Files that came to us after their birth, to be flushed as `synced` ones.  The level that saw it first need
// not be the one that made the file, or the change: they stay to the end, for a flush too many does no harm.
constinit ContextList<FileEvent> arrived_new{&TopTransactionContext};

void forget_events() noexcept {
    events.forget();
    arrived_new.forget();
}

void note(const pg::OwnedFile &owned, EventKind kind) {
    events.push_back({owned, ::GetCurrentTransactionNestLevel(), kind});
}

// ---- core's list of files that the end of this (sub)transaction will unlink

template <typename Body>
void for_each_pending_delete(bool at_commit, Body body) {
    pg::RelFile *nodes = nullptr;
    const int count = ::smgrGetPendingDeletes(at_commit, &nodes);
    for (int i = 0; i < count; ++i) body(pg::shared_file(nodes[i]));
    if (count > 0) ::pfree(nodes);
}

void forget_pending_deletes(bool at_commit) {
    for_each_pending_delete(at_commit, [](const pg::OwnedFile &owned) { buffer::forget_relation(owned); });
}

// The files that this commit will unlink, as known before it: core hands out its list by allocating memory,
// and after the commit record an error would be a PANIC.  In TopTransactionContext.
pg::RelFile *doomed = nullptr;
int doomed_count = 0;

void note_pending_deletes() {
    MemoryContext outer = ::MemoryContextSwitchTo(TopTransactionContext);
    doomed_count = ::smgrGetPendingDeletes(true, &doomed);
    ::MemoryContextSwitchTo(outer);
}

void forget_noted_deletes() noexcept {
    for (int i = 0; i < doomed_count; ++i) buffer::forget_relation(pg::shared_file(doomed[i]));
    doomed_count = 0;
}

// Core's list once more, for what other libraries dropped in their PRE_COMMIT callbacks after ours.  Without
// memory those must do without us; what this transaction's statements dropped is forgotten already.  An error
// lets interrupts in, which the commit that goes on holds off: their counts are put back.
void forget_at_commit() {
    forget_noted_deletes();
    MemoryContext context = CurrentMemoryContext;
    const auto held = InterruptHoldoffCount;
    const auto cancels_held = QueryCancelHoldoffCount;
    PG_TRY();
    {
        GH_STOP_POINT("lifecycle.before_pending_deletes");
        forget_pending_deletes(true);
    }
    PG_CATCH();
    {
        ::MemoryContextSwitchTo(context);
        ::FlushErrorState();
        InterruptHoldoffCount = held;
        QueryCancelHoldoffCount = cancels_held;
    }
    PG_END_TRY();
}

void forget_temp(EventKind kind) {
    for (const FileEvent &event : events)
        if (event.kind == kind) buffer::forget_relation(event.owned);
}

int flush_synced(const ContextList<FileEvent> &list) {
    int flushed = 0;
    for (const FileEvent &event : list) {
        if (event.kind != EventKind::synced || !pg::skips_wal(event.owned.file)) continue;
        buffer::flush_relation(event.owned);
        ++flushed;
    }
    return flushed;
}

// files.L3.  Core syncs or deletes these files right after the PRE_COMMIT callbacks.
void flush_unlogged_changes() {
    flush_synced(events);
    const int flushed = flush_synced(arrived_new);
    if (flushed > 0)  // for tests
        ereport(DEBUG3,
                (errmsg_internal("glassheap: flushed %d file(s) that came to it and skip WAL", flushed)));
}

// COMMIT PREPARED and ROLLBACK PREPARED unlink without telling us: let nothing stay that they might unlink.
// Nobody can read the pages back in between, for the prepared transaction keeps its exclusive locks.
void part_with_pending_deletes() {
    for_each_pending_delete(true, buffer::part_with_relation);
    for_each_pending_delete(false, buffer::part_with_relation);
}

extern "C" void gh_xact_callback(XactEvent event, void *) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
            check_owners_before_end();
            flush_unlogged_changes();
            note_pending_deletes();
            buffer::watch_holders();  // after the commit record its message's error would be a PANIC
            break;
        case XACT_EVENT_PRE_PREPARE:
            owners_before_prepare();
            flush_unlogged_changes();
            part_with_pending_deletes();
            break;
        case XACT_EVENT_COMMIT:
            owners_at_commit();
            forget_at_commit();
            forget_temp(EventKind::temp_dropped);
            forget_events();
            break;
        case XACT_EVENT_ABORT:
            doomed_count = 0;
            owners_at_abort();
            forget_pending_deletes(false);
            forget_temp(EventKind::temp_created);
            forget_events();
            break;
        case XACT_EVENT_PREPARE:
            owners_at_commit();
            forget_events();
            break;
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT:
            forget_events();
            break;
        default:
            break;
    }
}

// The events of an aborted subtransaction did not happen.
void drop_events_from(int nest_level) {
    for (; !events.empty() && events.back().nest_level >= nest_level; events.pop_back())
        if (events.back().kind == EventKind::temp_created) buffer::forget_relation(events.back().owned);
}

void hand_events_to_parent(int nest_level) {
    for (FileEvent *event = events.end(); event != events.begin() && event[-1].nest_level >= nest_level;
         --event)
        event[-1].nest_level = nest_level - 1;
}

extern "C" void gh_subxact_callback(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    const int level = ::GetCurrentTransactionNestLevel();
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        owners_at_subabort(level);
        forget_pending_deletes(false);
        drop_events_from(level);
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
        owners_at_subcommit(level);
        hand_events_to_parent(level);
    }
}

// Makes core choose "sync the file" at commit, never "log its pages": logging reads our forks into
// shared_buffers and leaves them dirty there (doc/design/files.md#events).
void make_core_sync(const pg::RelFile &file) {
    Relation fake = ::CreateFakeRelcacheEntry(file);
    ::RelationPreTruncate(fake);
    ::FreeFakeRelcacheEntry(fake);
}

// An unlogged table is emptied after a crash by copying its init fork over it.  The init fork never enters
// the pool: it is written here once, and synced at once because no checkpoint will see it.
void create_init_fork(SMgrRelation files, const pg::RelFile *file) {
    ::smgrcreate(files, INIT_FORKNUM, false);
    ::log_smgrcreate(file, INIT_FORKNUM);
    ::smgrimmedsync(files, INIT_FORKNUM);
}

}  // namespace

void install_callbacks() {
    ::RegisterXactCallback(gh_xact_callback, nullptr);
    ::RegisterSubXactCallback(gh_subxact_callback, nullptr);
}

void note_temp_drop(const pg::OwnedFile &owned) {
    note(owned, EventKind::temp_dropped);
}

void sync_arrived_at_commit(const pg::RelFile &file) {
    if (XLogIsNeeded() || !pg::skips_wal(file)) return;
    arrived_new.push_back({pg::shared_file(file), 1, EventKind::synced});
    make_core_sync(file);
}

void note_new_files(Relation rel, SMgrRelation files) {
    const pg::OwnedFile owned = pg::owned_file_of(files);
    buffer::forget_relation(owned);
    if (owned.is_temp()) {
        note(owned, EventKind::temp_created);
        const bool replaces = !pg::is_same_file(pg::file_of(rel), owned.file);
        if (replaces) note_temp_drop(pg::owned_file_of(rel));
        return;
    }
    note_newborn(owned.file, Birth::ours);
    if (XLogIsNeeded()) return;
    note(owned, EventKind::synced);
    make_core_sync(owned.file);
}

void create_files(Relation rel, const pg::RelFile *new_file, char persistence, Xid *freeze_xid,
                  MultiXactId *minmulti) {
    // No row of the new file can be older than the oldest transaction that still runs; for multixacts, than
    // the oldest one that some transaction may still hold in its cache.
    *freeze_xid = RecentXmin;
    *minmulti = ::GetOldestMultiXactId();

    SMgrRelation files = ::RelationCreateStorage(*new_file, persistence, true);
    note_new_files(rel, files);
    if (persistence == RELPERSISTENCE_UNLOGGED) create_init_fork(files, new_file);
    ::smgrclose(files);
}

}  // namespace glassheap::lifecycle
