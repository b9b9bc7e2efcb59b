// heap/insert_run.cpp — see insert_run.hpp.
//
// Locking: the page is latched where a run begins and where it is stored, never in between.
// Errors: may longjmp before the critical section.
// WAL:    RecordType::multi_insert; new_pages where the running subtransaction is not the one that inserted.
// See:    heap/README.md#runs; PG: none, heap logs each row.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/insert_run.hpp"

#include "debug/stop_points.hpp"
#include "heap/apply_rows.hpp"
#include "heap/heap_errors.hpp"
#include "heap/new_row.hpp"
#include "heap/placement.hpp"

namespace glassheap::heap {

namespace detail {
constinit int open_runs = 0;
}

// The rows that one command inserts into one table.  `page` is valid while the run is open.
class InsertRun {
public:
    RunKey key;
    Oid table;
    SubTransactionId level;
    std::uint32_t rows_alone;  // logged one by one since the command began, or since a run was cut short
    char *image = nullptr;     // kPageSize bytes, kept for the next run
    buffer::PinnedPage page;

    bool is_open() const noexcept { return page.valid(); }
    page::PageEdit gathered() const noexcept { return page::PageEdit(image); }
};

namespace {

// Partitions of one statement that take rows in turn; a further one cuts the oldest short.  In a small pool
// fewer: each keeps a page pinned for as long as the statement takes.
constexpr int kRuns = 16;
// A command with fewer rows gets no page of its own.
constexpr std::uint32_t kRowsBefore = 8;

bool runs_enabled = true;

InsertRun *runs = nullptr;  // kRuns of them, once there was a need
int runs_used = 0;
int next_victim = 0;
InsertRun *last_run = nullptr;
// The transaction, or this subtransaction and what begins below it, is about to end: nobody would store what
// begins now.
bool closing = false;
SubTransactionId closing_sub = InvalidSubTransactionId;

bool is_same_key(const RunKey &a, const RunKey &b) noexcept {
    return a.xid == b.xid && a.cid == b.cid && a.options == b.options && pg::is_same_file(a.file, b.file);
}

// Not: indexes, whose entries would be logged before their rows; temporary tables, which log nothing and are
// seen by nobody; logical decoding, which wants each row under its own command.
bool may_run(Relation rel, int options) noexcept {
    return runs_enabled && !closing && closing_sub == InvalidSubTransactionId && !rel->rd_rel->relhasindex &&
           !pg::is_temp(rel) && !XLogLogicalInfoActive() && (options & HEAP_INSERT_SPECULATIVE) == 0 &&
           !::IsCatalogRelation(rel);
}

void gather(const InsertRun &run, HeapTuple row) noexcept {
    put_row(run.gathered(), run.page.block(), row, false);
}

// The pin goes.  heap.I1: what is on the page now is what everybody may see.
void close(InsertRun *run) noexcept {
    run->page.end_reservation();
    run->page.release();
    run->rows_alone = 0;
    --detail::open_runs;
}

page::SlotList become_gathered(const InsertRun &run) noexcept {
    const page::PageEdit page = run.page.edit();
    const Lsn lsn = page.lsn();
    std::memcpy(page.bytes(), run.image, page::kPageSize);
    page.set_lsn(lsn);
    page::SlotList slots;
    for (SlotNo slot = 1; slot <= page.max_slot(); ++slot) slots.push_back(slot);
    return slots;
}

// Below another subtransaction: our record takes xmin from the transaction that logs it.
void apply_as_image(Relation rel, const InsertRun &run) {
    buffer::PageChange change;
    change.add(run.page);
    become_gathered(run);
    if (RelationNeedsWAL(rel)) wal::emit_page_image(rel, run.page);
    change.finish();
}

void apply(Relation rel, const InsertRun &run, Buffer vmbuf) {
    if (run.key.xid != ::GetCurrentTransactionIdIfAny()) return apply_as_image(rel, run);
    PGAlignedBlock scratch;
    apply_rows(
        {.rel = rel, .page = run.page, .options = run.key.options, .vmbuf = vmbuf, .scratch = scratch.data},
        [&] { return become_gathered(run); }, [](int) { return true; });
}

// The rows onto their page.
void store(InsertRun *run, Relation rel) {
    GH_STOP_POINT("heap.run_before_store");
    Buffer vmbuf = InvalidBuffer;
    if ((run->key.options & HEAP_INSERT_FROZEN) != 0) vm::pin(rel, run->page.block(), &vmbuf);
    run->page.latch_exclusive();
    const page::PageView view = run->page.view();
    if (!run->page.is_usable() || view.max_slot() != 0 || view.all_visible())
        report_run_overwritten(rel, run->page.block());
    // A serializable reader of the empty page has not seen rows that were inserted before it read.
    ::CheckForSerializableConflictIn(rel, nullptr, kInvalidBlock);
    apply(rel, *run, vmbuf);
    run->page.unlatch();
    close(run);
    release_vm_pin(vmbuf);
}

void store_by_oid(InsertRun *run) {
    Relation rel = ::RelationIdGetRelation(run->table);
    if (rel == nullptr || !pg::is_same_file(pg::file_of(rel), run->key.file))
        elog(ERROR, "rows were inserted into file %u of table %u, which is gone",
             pg::number_of(run->key.file), run->table);
    store(run, rel);
    ::RelationClose(rel);
}

template <typename Body>
void for_each_open(Body body) {
    for (int i = 0; detail::open_runs > 0 && i < runs_used; ++i)
        if (runs[i].is_open()) body(&runs[i]);
}

void forget_runs() noexcept {
    runs_used = 0;
    last_run = nullptr;
    closing = false;
    closing_sub = InvalidSubTransactionId;
}

void finish_runs_of(SubTransactionId level) {
    for_each_open([level](InsertRun *run) {
        if (run->level >= level) store_by_oid(run);
    });
}

// heap.I4.  Core lets go of latches before, of pins after.
void drop_runs_of(SubTransactionId level) noexcept {
    for_each_open([level](InsertRun *run) {
        if (run->level >= level) close(run);
    });
}

// nullptr: the pool is too small for any.
InsertRun *slot_for(const pg::RelFile &file) {
    const int most = std::min(kRuns, static_cast<int>(buffer::fair_share()));
    if (most == 0) return nullptr;
    if (runs == nullptr) {
        auto *space =
            static_cast<InsertRun *>(::MemoryContextAllocZero(TopMemoryContext, sizeof(InsertRun) * kRuns));
        for (int i = 0; i < kRuns; ++i) new (space + i) InsertRun{};
        runs = space;
    }
    for (int i = 0; i < runs_used; ++i)
        if (pg::is_same_file(runs[i].key.file, file)) return &runs[i];
    if (runs_used < most) return &runs[runs_used++];
    next_victim = (next_victim + 1) % most;
    return &runs[next_victim];
}

// The run, open or not, of the command's rows for this table; nullptr: each goes by itself.
InsertRun *run_for(Relation rel, const RunKey &key) {
    if (!may_run(rel, key.options)) return nullptr;
    InsertRun *run = slot_for(key.file);
    if (run == nullptr) return nullptr;
    if (!is_same_key(run->key, key)) {
        if (run->is_open()) store_by_oid(run);
        run->key = key;
        run->table = RelationGetRelid(rel);
        run->level = ::GetCurrentSubTransactionId();
        run->rows_alone = 0;
    }
    last_run = run;
    return run;
}

extern "C" void gh_runs_at_xact_end(XactEvent event, void *) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            finish_runs();
            forget_runs();
            closing = true;
            break;
        case XACT_EVENT_ABORT:
            drop_runs_of(InvalidSubTransactionId);
            forget_runs();
            break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PREPARE:
            forget_runs();
            break;
        default:
            break;
    }
}

extern "C" void gh_runs_at_subxact_end(SubXactEvent event, SubTransactionId level, SubTransactionId, void *) {
    switch (event) {
        case SUBXACT_EVENT_PRE_COMMIT_SUB:
            finish_runs_of(level);
            last_run = nullptr;
            if (closing_sub == InvalidSubTransactionId) closing_sub = level;
            break;
        case SUBXACT_EVENT_ABORT_SUB:
            drop_runs_of(level);
            if (level <= closing_sub) closing_sub = InvalidSubTransactionId;
            break;
        case SUBXACT_EVENT_COMMIT_SUB:
            if (level == closing_sub) closing_sub = InvalidSubTransactionId;
            break;
        default:
            break;
    }
}

}  // namespace

void detail::finish_open_runs() {
    for_each_open(store_by_oid);
}

bool put_into_run(Relation rel, HeapTuple row, const RunKey &key, InsertRun **run) {
    InsertRun *of_command = last_run;
    if (of_command == nullptr || !is_same_key(of_command->key, key)) [[unlikely]]
        of_command = run_for(rel, key);
    *run = of_command;
    if (of_command == nullptr) return false;
    if (!of_command->is_open()) {
        ++of_command->rows_alone;
        return false;
    }
    if (space_wanted(rel, row->t_len) <= of_command->gathered().free_space_for_tuple()) [[likely]] {
        gather(*of_command, row);
        return true;
    }
    store(of_command, rel);
    of_command->rows_alone = kRowsBefore + 1;  // a full page: the command goes on
    return false;
}

bool begin_run(InsertRun *run, Relation rel, const buffer::PinnedPage &page, HeapTuple row, bool bulk) {
    const bool pays = bulk ? run->rows_alone > 1 : run->rows_alone > kRowsBefore;
    if (!pays || page.view().max_slot() != 0 || page.view().all_visible()) return false;
    if (run->image == nullptr)
        run->image = static_cast<char *>(::MemoryContextAlloc(TopMemoryContext, page::kPageSize));
    // The pin outlives the portal.
    ResourceOwner outer = CurrentResourceOwner;
    CurrentResourceOwner = CurTransactionResourceOwner;
    buffer::PinnedPage own = buffer::read_recent(rel, MAIN_FORKNUM, page.block(), page.frame());
    CurrentResourceOwner = outer;
    if (!own) return false;  // others have changed it
    own.reserve();
    own.unlatch();
    run->page = std::move(own);
    ++detail::open_runs;
    run->gathered().init();
    gather(*run, row);
    return true;
}

void install_insert_runs() {
    ::DefineCustomBoolVariable(
        "glassheap.insert_runs",
        "Logs the rows that a statement inserts into a table without indexes page by page.",
        "Off, each row has a record of its own, as in heap.", &runs_enabled, true, PGC_USERSET, 0, nullptr,
        nullptr, nullptr);
    ::RegisterXactCallback(gh_runs_at_xact_end, nullptr);
    ::RegisterSubXactCallback(gh_runs_at_subxact_end, nullptr);
}

}  // namespace glassheap::heap
