// buffer/two_pools.cpp — see buffer/two_pools.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/two_pools.hpp"

#include "pg/pg_buffers.hpp"
#include "pg/pg_ddl.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"

namespace glassheap::buffer {

constinit TwoPoolsShared *two_pools = nullptr;

namespace {

int index_of(const pg::RelFile &file) noexcept {
    for (int i = 0; i < two_pools->listed; ++i)
        if (pg::is_same_file(two_pools->marks[i].file, file)) return i;
    return -1;
}

bool is_marked(const pg::RelFile &file) noexcept {
    if (index_of(file) >= 0) return true;
    return two_pools->count.load(std::memory_order_relaxed) > two_pools->listed && storage::has_mark(file);
}

void enter(const MarkedRelation &mark) noexcept {
    if (two_pools->listed < kMarksMax) two_pools->marks[two_pools->listed++] = mark;
    two_pools->count.fetch_add(1, std::memory_order_release);
}

MarkedRelation without_details(const pg::RelFile &file) noexcept {
    return {.file = file,
            .fork = MAIN_FORKNUM,
            .block = kInvalidBlock,
            .ours = kInvalidLsn,
            .theirs = kInvalidLsn};
}

void enter_from_disk(const pg::RelFile &file) {
    enter(without_details(file));
    char *path = storage::path_of(file, pg::kNoBackend, MAIN_FORKNUM);
    ereport(LOG, (errmsg("glassheap relation %s is still in two buffer pools", path),
                  errhint("Choose with glassheap_resolve which of its versions is to stay.")));
    ::pfree(path);
}

void take_out(const pg::RelFile &file) noexcept {
    if (!is_marked(file)) return;
    const int index = index_of(file);
    storage::remove_mark(file);
    if (index >= 0) two_pools->marks[index] = two_pools->marks[--two_pools->listed];
    two_pools->count.fetch_sub(1, std::memory_order_release);
}

void report(const MarkedRelation &mark) {
    char *path = storage::path_of(mark.file, pg::kNoBackend, MAIN_FORKNUM);
    ereport(WARNING,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("relation %s is in two buffer pools and is not worked with until one version is chosen",
                    path),
             errdetail("Block %u of fork \"%s\" was changed in glassheap's pool (LSN %X/%X) while code that "
                       "bypasses the table access method had it in shared_buffers (LSN %X/%X).",
                       mark.block, ::forkNames[mark.fork], LSN_FORMAT_ARGS(mark.ours),
                       LSN_FORMAT_ARGS(mark.theirs)),
             errhint("Look at both versions with glassheap_resolve, in database %u, then keep one of them.",
                     pg::database_of(mark.file))));
    ::pfree(path);
}

// Also in critical sections, where no other context gives memory.
void tell(const MarkedRelation &mark) {
    MemoryContext outer = ::MemoryContextSwitchTo(ErrorContext);
    report(mark);
    ::MemoryContextSwitchTo(outer);
}

}  // namespace

std::size_t two_pools_bytes() noexcept {
    return sizeof(TwoPoolsShared) + 64;
}

void map_two_pools(bool fresh) {
    bool found;
    two_pools =
        static_cast<TwoPoolsShared *>(::ShmemInitStruct("Glassheap Two Pools", two_pools_bytes(), &found));
    if (fresh) {
        std::memset(static_cast<void *>(two_pools), 0, sizeof *two_pools);
        two_pools->tranche = ::LWLockNewTrancheId();
        ::LWLockInitialize(&two_pools->lock, two_pools->tranche);
        storage::load_marks(enter_from_disk);
    }
    ::LWLockRegisterTranche(two_pools->tranche, "GlassheapTwoPools");
}

bool find_mark(const pg::RelFile &file, MarkedRelation *mark) noexcept {
    ::LWLockAcquire(&two_pools->lock, LW_SHARED);
    const int index = index_of(file);
    *mark = index >= 0 ? two_pools->marks[index] : without_details(file);
    const bool found = index >= 0 || is_marked(file);
    ::LWLockRelease(&two_pools->lock);
    return found;
}

bool is_in_two_pools(const pg::RelFile &file) noexcept {
    MarkedRelation mark;
    return any_in_two_pools() && find_mark(file, &mark);
}

// files.M1.  An error leaves no mark; whoever meets the page next tries again.
void mark_two_pools(const MarkedRelation &mark) {
    ::LWLockAcquire(&two_pools->lock, LW_EXCLUSIVE);
    const bool known = is_marked(mark.file);
    if (!known) {
        storage::write_mark(mark.file);
        enter(mark);
    }
    ::LWLockRelease(&two_pools->lock);
    if (known) return;
    tell(mark);
    // Replay should not begin before this place: the records of both versions do not fit one page.
    if (IsUnderPostmaster) ::RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_IMMEDIATE);
}

void unmark_two_pools(const pg::RelFile &file) noexcept {
    if (!any_in_two_pools()) return;
    ::LWLockAcquire(&two_pools->lock, LW_EXCLUSIVE);
    take_out(file);
    ::LWLockRelease(&two_pools->lock);
}

void unmark_database(Oid database, Oid tablespace) noexcept {
    if (!any_in_two_pools()) return;
    ::LWLockAcquire(&two_pools->lock, LW_EXCLUSIVE);
    for (int i = two_pools->listed - 1; i >= 0; --i) {
        const pg::RelFile file = two_pools->marks[i].file;
        if (pg::database_of(file) == database &&
            (!OidIsValid(tablespace) || pg::tablespace_of(file) == tablespace))
            take_out(file);
    }
    // What the list has no room for.
    if (two_pools->count.load(std::memory_order_relaxed) > two_pools->listed)
        storage::for_each_mark_of_database(database, tablespace, take_out);
    ::LWLockRelease(&two_pools->lock);
}

void refuse_database_in_two_pools(Oid database) {
    if (!OidIsValid(database) || !any_in_two_pools() || !storage::has_mark_of_database(database)) return;
    ereport(ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("a table of database \"%s\" is in two buffer pools", ::get_database_name(database)),
             errdetail("Its files have only one of two versions."),
             errhint("Keep one version with glassheap_resolve in that database first; the server's log names "
                     "the tables.")));
}

void refuse_two_pools(Relation rel) {
    MarkedRelation mark;
    if (pg::is_temp(rel) || !find_mark(pg::file_of(rel), &mark)) return;
    const char *name = RelationGetRelationName(rel);
    ereport(
        ERROR,
        (errcode(ERRCODE_DATA_CORRUPTED), errmsg("relation \"%s\" is in two buffer pools", name),
         mark.block == kInvalidBlock
             ? errdetail("Pages of it were changed in glassheap's pool and, by code that bypasses the table "
                         "access method, in shared_buffers.")
             : errdetail(
                   "Block %u of fork \"%s\" was changed in glassheap's pool (LSN %X/%X) while code that "
                   "bypasses the table access method had it in shared_buffers (LSN %X/%X).",
                   mark.block, ::forkNames[mark.fork], LSN_FORMAT_ARGS(mark.ours),
                   LSN_FORMAT_ARGS(mark.theirs)),
         errhint("Look at both versions with glassheap_resolve, then keep one of them."), errtable(rel)));
}

namespace {
// What does not fit pushes out the oldest: its relation gets no mark if replay fails on it.
constexpr int kMeetingsMax = 64;
constinit pg::RelFile met[kMeetingsMax] = {};
constinit int met_count = 0;
}  // namespace

void note_meeting(const pg::RelFile &file) noexcept {
    if (!have_met(file)) met[met_count++ % kMeetingsMax] = file;
}

bool have_met(const pg::RelFile &file) noexcept {
    for (int i = 0; i < std::min(met_count, kMeetingsMax); ++i)
        if (pg::is_same_file(met[i], file)) return true;
    return false;
}

}  // namespace glassheap::buffer
