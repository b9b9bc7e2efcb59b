// introspect/resolve.cpp — a table that is in two pools: both versions shown, one kept.
//
// Why:    buffer/two_pools.hpp.  Nobody but a person can tell which version of a page is the right one.
// Locking: showing: ACCESS SHARE.  Keeping: ACCESS EXCLUSIVE, kept until the transaction ends; each page
//         is settled for good when it is done, whether the transaction commits or not.
// Errors: may longjmp; what is settled stays settled, the mark stays until the last page is.
// WAL:    new_pages for every page kept (standbys have one version, or a mixture), file_event at the
//         end; the visibility map is emptied, for it was set by both sides.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/hand_over.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/two_pools.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "introspect/visibility.hpp"
#include "pg/pg_buffers.hpp"
#include "pg/pg_check_use.hpp"
#include "pg/pg_process.hpp"
#include "storage/aside.hpp"
#include "storage/files.hpp"
#include "wal/emit.hpp"

namespace glassheap::introspect {

namespace {

enum class Keep : std::uint8_t { none, ours, theirs };

Keep keep_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(1)) return Keep::none;
    const char *given = ::text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (std::strcmp(given, "glassheap") == 0) return Keep::ours;
    if (std::strcmp(given, "shared_buffers") == 0) return Keep::theirs;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid version to keep: \"%s\"", given),
             errhint("Valid versions are \"glassheap\" and \"shared_buffers\".")));
}

struct Version {
    char *bytes;  // kPageSize
    const char *where;
    bool in_file;  // nothing but the file has it
};

struct Site {
    Relation rel;
    ForkNumber fork;
    BlockNo block;

    const pg::RelFile &file() const noexcept { return pg::file_of(rel); }
    pg::CorePlace place() const noexcept { return {pg::file_of(rel), fork, block}; }
};

void read_ours(const Site &site, const char *file, Version *out) {
    const buffer::PinnedPage page = buffer::read_if_cached(buffer::fork_of(site.rel, site.fork), site.block);
    out->in_file = false;
    if (page) {
        const buffer::ShareLatch latch(page);
        std::memcpy(out->bytes, page.data(), BLCKSZ);
        out->where = buffer::frame_at(page.frame()).state.load().dirty() ? "pool, dirty" : "pool";
    } else if (buffer::is_in_two_pools(site.file()) &&
               storage::read_aside(site.file(), site.fork, site.block, out->bytes)) {
        out->where = "aside";
    } else {
        std::memcpy(out->bytes, file, BLCKSZ);
        out->where = "file";
        out->in_file = true;
    }
}

void read_theirs(const Site &site, const char *file, Version *out) {
    const pg::CoreCopy copy = pg::look_at_core_copy(site.place());
    out->in_file = !copy.present || !pg::copy_core_page(site.place(), copy.buffer, out->bytes);
    out->where = out->in_file ? "file" : copy.dirty ? "shared_buffers, dirty" : "shared_buffers";
    if (out->in_file) std::memcpy(out->bytes, file, BLCKSZ);
}

// The checksum is computed when a page is written.
bool same_page(const char *a, const char *b) noexcept {
    constexpr std::size_t kChecksum = offsetof(PageHeaderData, pd_checksum);
    constexpr std::size_t kBehind = kChecksum + sizeof(std::uint16_t);
    return std::memcmp(a, b, kChecksum) == 0 && std::memcmp(a + kBehind, b + kBehind, BLCKSZ - kBehind) == 0;
}

// Rows by line pointer, but for hint bits, which anybody may set at any time.
bool same_row(const page::PageView &a, const page::PageView &b, SlotNo slot) {
    const bool in_a = slot <= a.max_slot() && a.line(slot).is_normal();
    const bool in_b = slot <= b.max_slot() && b.line(slot).is_normal();
    if (!in_a || !in_b) return in_a == in_b;
    const std::size_t length = a.line(slot).length();
    if (length != b.line(slot).length()) return false;
    char rows[2][BLCKSZ];
    std::memcpy(rows[0], a.tuple_bytes(slot), length);
    std::memcpy(rows[1], b.tuple_bytes(slot), length);
    for (char *row : rows)
        reinterpret_cast<HeapTupleHeader>(row)->t_infomask &=
            static_cast<std::uint16_t>(~HEAP_XACT_MASK) | HEAP_XMAX_LOCK_ONLY | HEAP_XMAX_IS_MULTI;
    return std::memcmp(rows[0], rows[1], length) == 0;
}

int rows_differing(const char *a, const char *b) {
    const page::PageView ours(a);
    const page::PageView theirs(b);
    int count = 0;
    const SlotNo last = std::max(ours.is_new() ? SlotNo{0} : ours.max_slot(),
                                 theirs.is_new() ? SlotNo{0} : theirs.max_slot());
    for (SlotNo slot = 1; slot <= last; ++slot)
        if (!same_row(ours, theirs, slot)) ++count;
    return count;
}

// Even when it is dirty.  The checkpointer or a reader may have it pinned for a moment.
void evict_theirs(const Site &site) {
    constexpr int kPatience = 500;
    for (int i = 0; !pg::evict_core_copy(site.place(), ~Lsn{0}); ++i) {
        if (i == kPatience)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                            errmsg("block %u of relation \"%s\" is in use in shared_buffers", site.block,
                                   RelationGetRelationName(site.rel)),
                            errhint("End the sessions whose libraries bypass the table access method.")));
        ::pg_usleep(10'000L);
        CHECK_FOR_INTERRUPTS();
    }
}

// From here on the file, both pools and the standbys have the one version.
void keep_page(const Site &site, char *page) {
    const bool held_before = pg::delays_checkpoints();
    pg::delay_checkpoints();
    if (RelationNeedsWAL(site.rel)) {
        wal::log_new_pages(site.file(), site.fork, &site.block, &page, 1);
        ::XLogFlush(PageGetLSN(page));
    }
    evict_theirs(site);
    storage::write_block(site.file(), pg::kNoBackend, site.fork, site.block, page);
    buffer::drop_page(site.file(), site.fork, site.block);
    storage::remove_aside(site.file(), site.fork, site.block);
    if (!held_before) pg::stop_delaying_checkpoints();
}

class Resolver {
public:
    Resolver(Relation rel, Keep keep, Rows *rows) : rel_(rel), keep_(keep), rows_(rows) {
        file_ = static_cast<char *>(::palloc(BLCKSZ));
        ours_ = {static_cast<char *>(::palloc(BLCKSZ)), nullptr, false};
        theirs_ = {static_cast<char *>(::palloc(BLCKSZ)), nullptr, false};
    }

    void run() {
        for (const ForkNumber fork : {MAIN_FORKNUM, FSM_FORKNUM}) {
            if (!::smgrexists(RelationGetSmgr(rel_), fork)) continue;
            const BlockNo blocks = storage::block_count(pg::file_of(rel_), pg::kNoBackend, fork);
            for (BlockNo block = 0; block < blocks; ++block) {
                CHECK_FOR_INTERRUPTS();
                visit({rel_, fork, block});
            }
        }
    }

private:
    void visit(const Site &site) {
        storage::read_block(site.file(), pg::kNoBackend, site.fork, site.block, file_);
        read_ours(site, file_, &ours_);
        read_theirs(site, file_, &theirs_);
        const bool differ = !same_page(ours_.bytes, theirs_.bytes);
        if (differ) show(site);
        if (keep_ == Keep::none) return;
        char *chosen = keep_ == Keep::ours ? ours_.bytes : theirs_.bytes;
        if (differ || !same_page(chosen, file_))
            keep_page(site, chosen);
        else
            buffer::drop_page(site.file(), site.fork, site.block);  // it may be noted as outdated
    }

    void show(const Site &site) {
        const bool rows = site.fork == MAIN_FORKNUM;
        rows_->begin_row();
        rows_->add({text_cell(::forkNames[site.fork]), int8(site.block), text_cell(ours_.where),
                    lsn(buffer::load_page_lsn(ours_.bytes)), text_cell(theirs_.where),
                    lsn(buffer::load_page_lsn(theirs_.bytes)),
                    rows ? int4(rows_differing(ours_.bytes, theirs_.bytes)) : null_cell(),
                    text_cell(keep_ == Keep::none   ? nullptr
                              : keep_ == Keep::ours ? "glassheap"
                                                    : "shared_buffers")});
    }

    Relation rel_;
    Keep keep_;
    Rows *rows_;
    char *file_;
    Version ours_, theirs_;
};

// Elsewhere `keep` would throw away what nobody has doubts about: pages that are in the pool only.
void require_mark(Relation rel) {
    if (buffer::is_in_two_pools(pg::file_of(rel))) return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("relation \"%s\" is not in two buffer pools", RelationGetRelationName(rel)),
             errhint("There is nothing to choose; without a second argument glassheap_resolve shows what "
                     "differs.")));
}

// Without the mark the records of both versions must not be replayed again: they do not fit one page.
void finish(Relation rel) {
    truncate_map(rel);
    if (IsUnderPostmaster) ::RequestCheckpoint(CHECKPOINT_FORCE | CHECKPOINT_IMMEDIATE | CHECKPOINT_WAIT);
    if (RelationNeedsWAL(rel)) wal::emit_file_event(pg::file_of(rel), wal::FileEvent::resolved);
    buffer::lift_two_pools_mark(pg::file_of(rel));
    ereport(NOTICE, (errmsg("one version of every page of \"%s\" was kept", RelationGetRelationName(rel)),
                     errhint("Its indexes may have entries of the other version: REINDEX TABLE, then "
                             "glassheap_verify.")));
}

}  // namespace

extern "C" {

// glassheap_resolve(regclass, keep text): not STRICT.
PG_FUNCTION_INFO_V1(glassheap_resolve);
PGDLLEXPORT Datum glassheap_resolve(PG_FUNCTION_ARGS) {
    if (!::superuser())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be superuser to use glassheap_resolve")));
    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("relation cannot be null")));
    const Keep keep = keep_argument(fcinfo);
    if (keep != Keep::none) ::PreventCommandDuringRecovery("glassheap_resolve(..., keep)");
    const LOCKMODE lock = keep == Keep::none ? AccessShareLock : AccessExclusiveLock;
    Relation rel = open_table(PG_GETARG_OID(0), lock);
    if (pg::is_temp(rel))
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                 errmsg("temporary table \"%s\" cannot be in two pools", RelationGetRelationName(rel))));
    if (keep != Keep::none) {
        ::CheckTableNotInUse(rel, "glassheap_resolve");
        require_mark(rel);
    }
    Rows rows(fcinfo);
    Resolver(rel, keep, &rows).run();
    if (keep != Keep::none) finish(rel);
    close_table(rel, keep == Keep::none ? AccessShareLock : NoLock);
    return Datum{0};
}
}

}  // namespace glassheap::introspect
