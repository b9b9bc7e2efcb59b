// introspect/visibility.cpp — the visibility map, and the pages' own flag, seen from SQL.
//
// Why:    contrib's pg_visibility reads our pages through PostgreSQL's buffers, where they are stale.
// Locking: AccessShareLock on the table; share latches one page at a time; truncation AccessExclusiveLock.
// Errors: may longjmp.  WAL: glassheap_truncate_visibility_map logs core's truncation record.
// See:    vm/README.md; PG: access/heap/visibilitymap.c, contrib/pg_visibility.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "heap/row_access.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "introspect/visibility.hpp"
#include "mvcc/all_visible.hpp"
#include "mvcc/visibility.hpp"
#include "pg/pg_core_records.hpp"
#include "pg/pg_process.hpp"
#include "pg/pg_smgr.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::introspect {

namespace {

void release(Buffer *vmbuf) {
    if (BufferIsValid(*vmbuf)) ::ReleaseBuffer(*vmbuf);
    *vmbuf = InvalidBuffer;
}

bool page_says_all_visible(Relation rel, BlockNo block, buffer::AccessRing *ring) {
    const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, block, ring);
    const buffer::ShareLatch latch(page);
    return page.view().all_visible();
}

Cell visible_cell(std::uint8_t bits) {
    return boolean((bits & vm::kAllVisibleBit) != 0);
}
Cell frozen_cell(std::uint8_t bits) {
    return boolean((bits & vm::kAllFrozenBit) != 0);
}

void list_map(Relation rel, Rows *rows, bool with_page) {
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    buffer::AccessRing *ring = with_page ? buffer::make_ring(buffer::RingKind::bulk_read) : nullptr;
    Buffer vmbuf = InvalidBuffer;
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const std::uint8_t bits = vm::status(rel, block, &vmbuf);
        if (with_page)
            rows->add({int8(block), visible_cell(bits), frozen_cell(bits),
                       boolean(page_says_all_visible(rel, block, ring))});
        else
            rows->add({int8(block), visible_cell(bits), frozen_cell(bits)});
    }
    release(&vmbuf);
    buffer::free_ring(ring);
}

// ---- tuples that contradict the map

struct Contradictions {
    Relation rel;
    Rows *rows;
    bool want_visible;
    bool want_frozen;
    Xid horizon = kInvalidXid;
    Buffer vmbuf = InvalidBuffer;
};

bool visible_to_all(HeapTuple tuple, Xid horizon, const buffer::PinnedPage &page) {
    const page::TupleHead &head = page.view().tuple(ItemPointerGetOffsetNumber(&tuple->t_self));
    return mvcc::satisfies_vacuum(tuple, horizon, &page) == HEAPTUPLE_LIVE &&
           mvcc::is_visible_to_all(head, horizon, mvcc::CommitHint::not_needed);
}

// The horizon was taken at the start: before a tuple is accused a newer one is looked at.
bool surely_not_visible_to_all(Contradictions *state, HeapTuple tuple, const buffer::PinnedPage &page) {
    if (visible_to_all(tuple, state->horizon, page)) return false;
    const Xid newer = ::GetOldestNonRemovableTransactionId(state->rel);
    if (!::TransactionIdPrecedes(state->horizon, newer)) return true;
    state->horizon = newer;
    return !visible_to_all(tuple, newer, page);
}

void check_page(Contradictions *state, const buffer::PinnedPage &page, bool visible, bool frozen) {
    const page::PageView view = page.view();
    const SlotNo last = view.is_new() ? kInvalidSlot : view.max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        const page::LinePointer line = view.line(slot);
        if (!line.is_used() || line.is_redirect()) continue;
        if (line.is_dead()) {
            state->rows->add({row_address(page.block(), slot)});
            continue;
        }
        HeapTupleData tuple = heap::tuple_at(state->rel, page, slot);
        if (visible && surely_not_visible_to_all(state, &tuple, page))
            state->rows->add({row_address(page.block(), slot)});
        if (frozen && ::heap_tuple_needs_eventual_freeze(tuple.t_data))
            state->rows->add({row_address(page.block(), slot)});
    }
}

void check_block(Contradictions *state, BlockNo block, buffer::AccessRing *ring) {
    std::uint8_t bits = vm::status(state->rel, block, &state->vmbuf);
    const auto interesting = [state](std::uint8_t now) {
        return (state->want_visible && (now & vm::kAllVisibleBit) != 0) ||
               (state->want_frozen && (now & vm::kAllFrozenBit) != 0);
    };
    if (!interesting(bits)) return;
    const buffer::PinnedPage page = buffer::read_page(state->rel, MAIN_FORKNUM, block, ring);
    const buffer::ShareLatch latch(page);
    // The bits can only be trusted to match while the page is latched.
    bits = vm::status(state->rel, block, &state->vmbuf);
    if (!interesting(bits)) return;
    check_page(state, page, state->want_visible && (bits & vm::kAllVisibleBit) != 0,
               state->want_frozen && (bits & vm::kAllFrozenBit) != 0);
}

Datum list_contradictions(FunctionCallInfo fcinfo, bool visible, bool frozen) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    Contradictions state = {.rel = rel, .rows = &rows, .want_visible = visible, .want_frozen = frozen};
    if (visible) state.horizon = ::GetOldestNonRemovableTransactionId(rel);
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        check_block(&state, block, ring);
    }
    release(&state.vmbuf);
    buffer::free_ring(ring);
    close_table(rel);
    return 0;
}

}  // namespace

// ---- truncation of the map: only core's own steps, because the map is in core's buffers.
// All in one critical section and on one side of a checkpoint, as RelationTruncate does it.
void truncate_map(Relation rel) {
    SMgrRelation files = ::RelationGetSmgr(rel);
    pg::cached_blocks(files, VISIBILITYMAP_FORKNUM) = kInvalidBlock;
    ForkNumber fork = VISIBILITYMAP_FORKNUM;
    BlockNo keep = pg::prepare_vm_truncate(rel, 0);
    BlockNo had = BlockNumberIsValid(keep) ? ::smgrnblocks(::RelationGetSmgr(rel), fork) : 0;
    pg::delay_checkpoints(pg::Delay::start_and_complete);
    START_CRIT_SECTION();
    if (RelationNeedsWAL(rel)) ::XLogFlush(pg::log_truncation(pg::file_of(rel), 0, SMGR_TRUNCATE_VM));
    if (BlockNumberIsValid(keep)) pg::truncate_forks(::RelationGetSmgr(rel), &fork, 1, &had, &keep);
    END_CRIT_SECTION();
    pg::stop_delaying_checkpoints(pg::Delay::start_and_complete);
}

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_visibility_map);
PGDLLEXPORT Datum glassheap_visibility_map(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo block = to_block(PG_GETARG_INT64(1));
    Buffer vmbuf = InvalidBuffer;
    const std::uint8_t bits = vm::status(rel, block, &vmbuf);
    release(&vmbuf);
    close_table(rel);
    return make_record(fcinfo, {visible_cell(bits), frozen_cell(bits)});
}

PG_FUNCTION_INFO_V1(glassheap_visibility);
PGDLLEXPORT Datum glassheap_visibility(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo block = to_block(PG_GETARG_INT64(1));
    Buffer vmbuf = InvalidBuffer;
    const std::uint8_t bits = vm::status(rel, block, &vmbuf);
    release(&vmbuf);
    // As the stock function: a page beyond the end is simply not all-visible.
    const bool on_page =
        block < ::RelationGetNumberOfBlocks(rel) && page_says_all_visible(rel, block, nullptr);
    close_table(rel);
    return make_record(fcinfo, {visible_cell(bits), frozen_cell(bits), boolean(on_page)});
}

PG_FUNCTION_INFO_V1(glassheap_visibility_map_rel);
PGDLLEXPORT Datum glassheap_visibility_map_rel(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    list_map(rel, &rows, false);
    close_table(rel);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_visibility_rel);
PGDLLEXPORT Datum glassheap_visibility_rel(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    list_map(rel, &rows, true);
    close_table(rel);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_visibility_map_summary);
PGDLLEXPORT Datum glassheap_visibility_map_summary(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    std::uint64_t visible = 0;
    std::uint64_t frozen = 0;
    Buffer vmbuf = InvalidBuffer;
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const std::uint8_t bits = vm::status(rel, block, &vmbuf);
        if ((bits & vm::kAllVisibleBit) != 0) ++visible;
        if ((bits & vm::kAllFrozenBit) != 0) ++frozen;
    }
    release(&vmbuf);
    close_table(rel);
    return make_record(fcinfo, {int8(visible), int8(frozen)});
}

PG_FUNCTION_INFO_V1(glassheap_check_visible);
PGDLLEXPORT Datum glassheap_check_visible(PG_FUNCTION_ARGS) {
    return list_contradictions(fcinfo, true, false);
}

PG_FUNCTION_INFO_V1(glassheap_check_frozen);
PGDLLEXPORT Datum glassheap_check_frozen(PG_FUNCTION_ARGS) {
    return list_contradictions(fcinfo, false, true);
}

PG_FUNCTION_INFO_V1(glassheap_truncate_visibility_map);
PGDLLEXPORT Datum glassheap_truncate_visibility_map(PG_FUNCTION_ARGS) {
    PreventCommandDuringRecovery("glassheap_truncate_visibility_map()");
    Relation rel = open_table(PG_GETARG_OID(0), AccessExclusiveLock);
    truncate_map(rel);
    // Only a non-transactional invalidation was sent, so the lock need not live until commit.
    close_table(rel, AccessExclusiveLock);
    PG_RETURN_VOID();
}

}  // extern "C"

}  // namespace glassheap::introspect
