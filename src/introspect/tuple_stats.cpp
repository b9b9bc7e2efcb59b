// introspect/tuple_stats.cpp — how much of a table is live, dead and free: counted, or estimated by the maps.
//
// Why:    the columns and meanings of pgstattuple, for our tables.
// Locking: AccessShareLock on the table; share latches one page at a time; a bulk-read ring.
// Errors: may longjmp.
// See:    PG: contrib/pgstattuple (facts: what counts as dead, how new pages count).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"
#include "heap/row_access.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "mvcc/visibility.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::introspect {

namespace {

struct Tally {
    std::uint64_t live;
    std::uint64_t live_bytes;
    std::uint64_t dead;
    std::uint64_t dead_bytes;
    std::uint64_t free_bytes;
};

double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Two digits, as the stock function gives them.
Cell rounded_percent(std::uint64_t part, std::uint64_t whole) {
    char digits[32];
    ::pg_snprintf(digits, sizeof digits, "%.2f", percent(part, whole));
    return float8(std::strtod(digits, nullptr));
}

// Judges every tuple of the latched page; is_live(tuple) decides.
template <typename IsLive>
void tally_page(Relation rel, const buffer::PinnedPage &page, IsLive is_live, Tally *tally) {
    const page::PageView view = page.view();
    const SlotNo last = view.is_new() ? kInvalidSlot : view.max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        if (!view.line(slot).is_normal()) continue;
        HeapTupleData tuple = heap::tuple_at(rel, page, slot);
        if (is_live(&tuple)) {
            tally->live++;
            tally->live_bytes += tuple.t_len;
        } else {
            tally->dead++;
            tally->dead_bytes += tuple.t_len;
        }
    }
}

// Exact: a tuple counts as live when a reader of uncommitted data would see it.
Tally count_all(Relation rel, BlockNo blocks) {
    Tally tally = {};
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, block, ring);
        const buffer::ShareLatch latch(page);
        if (!page.view().is_new()) tally.free_bytes += page.view().free_space_for_tuple();
        tally_page(
            rel, page, [&](HeapTuple tuple) { return mvcc::satisfies(tuple, &dirty, &page); }, &tally);
    }
    buffer::free_ring(ring);
    return tally;
}

// Approximate: all-visible pages are taken from the free space map, the others are looked at.
struct Estimate {
    Tally tally;
    BlockNo scanned;
};

void look_at_page(Relation rel, BlockNo block, buffer::AccessRing *ring, Xid horizon, Estimate *estimate) {
    const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, block, ring);
    const buffer::ShareLatch latch(page);
    estimate->scanned++;
    estimate->tally.free_bytes +=
        page.view().is_new() ? BLCKSZ - SizeOfPageHeaderData : page.view().free_space_for_tuple();
    const auto counts_as_live = [&](HeapTuple tuple) {
        const HTSV_Result state = mvcc::satisfies_vacuum(tuple, horizon, &page);
        return state == HEAPTUPLE_LIVE || state == HEAPTUPLE_DELETE_IN_PROGRESS;
    };
    tally_page(rel, page, counts_as_live, &estimate->tally);
}

Estimate estimate_all(Relation rel, BlockNo blocks) {
    Estimate estimate = {};
    const Xid horizon = ::GetOldestNonRemovableTransactionId(rel);
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    Buffer vmbuf = InvalidBuffer;
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        if ((vm::status(rel, block, &vmbuf) & vm::kAllVisibleBit) != 0) {
            const Size avail = fsm::recorded(rel, block);
            estimate.tally.live_bytes += BLCKSZ - avail;
            estimate.tally.free_bytes += avail;
        } else {
            look_at_page(rel, block, ring, horizon, &estimate);
        }
    }
    if (BufferIsValid(vmbuf)) ::ReleaseBuffer(vmbuf);
    buffer::free_ring(ring);
    const double live =
        ::vac_estimate_reltuples(rel, blocks, estimate.scanned, static_cast<double>(estimate.tally.live));
    estimate.tally.live = live > 0 ? static_cast<std::uint64_t>(live) : 0;
    return estimate;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_stattuple);
PGDLLEXPORT Datum glassheap_stattuple(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    const Tally tally = count_all(rel, blocks);
    close_table(rel);
    const std::uint64_t size = static_cast<std::uint64_t>(blocks) * BLCKSZ;
    return make_record(fcinfo, {int8(size), int8(tally.live), int8(tally.live_bytes),
                                rounded_percent(tally.live_bytes, size), int8(tally.dead),
                                int8(tally.dead_bytes), rounded_percent(tally.dead_bytes, size),
                                int8(tally.free_bytes), rounded_percent(tally.free_bytes, size)});
}

PG_FUNCTION_INFO_V1(glassheap_stattuple_approx);
PGDLLEXPORT Datum glassheap_stattuple_approx(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    const Estimate estimate = estimate_all(rel, blocks);
    close_table(rel);
    const Tally &tally = estimate.tally;
    const std::uint64_t size = static_cast<std::uint64_t>(blocks) * BLCKSZ;
    const std::uint64_t scanned = blocks == 0 ? 0 : 100ULL * estimate.scanned / blocks;  // whole percent
    return make_record(
        fcinfo, {int8(size), float8(static_cast<double>(scanned)), int8(tally.live), int8(tally.live_bytes),
                 float8(percent(tally.live_bytes, size)), int8(tally.dead), int8(tally.dead_bytes),
                 float8(percent(tally.dead_bytes, size)), int8(tally.free_bytes),
                 float8(percent(tally.free_bytes, size))});
}

}  // extern "C"

}  // namespace glassheap::introspect
