// introspect/free_space.cpp — the free space map seen from SQL.
//
// Why:    which page has room, according to the map, and according to the page itself.
// Locking: AccessShareLock on the table; share latches one page at a time.
// Errors: may longjmp.
// See:    fsm/README.md; PG: storage/freespace/README, contrib/pg_freespacemap.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"
#include "introspect/fsm_tree.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "pg/pg_fsm_internals.hpp"

namespace glassheap::introspect {

static_assert(kFsmNodes == pg::kFsmNodesPerPage && kFsmSlots == pg::kFsmLeavesPerPage);

namespace {

// Bytes the page could still take, as the map would record it: 0 category steps, not rounded.
Size actual_free_space(Relation rel, BlockNo block, buffer::AccessRing *ring) {
    const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, block, ring);
    const buffer::ShareLatch latch(page);
    if (page.view().is_new()) return BLCKSZ - SizeOfPageHeaderData;
    return page.view().free_space_for_tuple();
}

void list_free_space(Relation rel, Rows *rows) {
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        rows->add({int8(block), int2(static_cast<int>(fsm::recorded(rel, block))),
                   int4(static_cast<std::int64_t>(actual_free_space(rel, block, ring)))});
    }
    buffer::free_ring(ring);
}

// Pages where the map promises another category than the page can keep.
void list_deviations(Relation rel, Rows *rows) {
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const Size recorded = fsm::recorded(rel, block);
        const Size actual = actual_free_space(rel, block, ring);
        const Size as_recorded = fsm::category_to_avail(fsm::category_of(actual));
        if (recorded != as_recorded)
            rows->add(
                {int8(block), int2(static_cast<int>(recorded)), int4(static_cast<std::int64_t>(actual))});
    }
    buffer::free_ring(ring);
}

void count_categories(Relation rel, Rows *rows) {
    std::uint64_t counts[256] = {};
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        counts[fsm::category_of(fsm::recorded(rel, block)) & 0xFF]++;
    }
    for (int category = 0; category < 256; ++category)
        if (counts[category] != 0) rows->add({int2(category), int8(counts[category])});
}

// One page of the tree: the slots below which the table has pages.
void list_tree_page(const char *bytes, BlockNo fsm_block, BlockNo heap_blocks, Rows *rows) {
    const FsmAddress address = fsm_address_of(fsm_block);
    const std::uint8_t *nodes = pg::fsm_nodes(bytes);
    for (std::uint32_t slot = 0; slot < kFsmSlots; ++slot) {
        const std::uint64_t from = fsm_covers_from(address, slot);
        if (from >= heap_blocks) break;
        const std::uint64_t to =
            std::min<std::uint64_t>(from + fsm_covers_count(address.level), heap_blocks) - 1;
        const int category = nodes[kFsmInnerNodes + slot];
        rows->add({int4(address.level), int8(fsm_block), int4(slot), int2(category), int8(from), int8(to),
                   int4(static_cast<std::int64_t>(fsm::category_to_avail(category)))});
    }
}

void list_tree(Relation rel, Rows *rows) {
    if (!::smgrexists(::RelationGetSmgr(rel), FSM_FORKNUM)) return;
    const BlockNo heap_blocks = ::RelationGetNumberOfBlocks(rel);
    const BlockNo fsm_blocks = ::RelationGetNumberOfBlocksInFork(rel, FSM_FORKNUM);
    char copy[BLCKSZ];
    for (BlockNo block = 0; block < fsm_blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        {
            const buffer::PinnedPage page =
                buffer::read_page(rel, FSM_FORKNUM, block, nullptr, buffer::ReadMode::zero_on_error);
            const buffer::ShareLatch latch(page);
            std::memcpy(copy, page.data(), BLCKSZ);
        }
        list_tree_page(copy, block, heap_blocks, rows);
    }
}

text *describe_map_page(const char *page) {
    const std::uint8_t *nodes = pg::fsm_nodes(page);
    StringInfoData out;
    ::initStringInfo(&out);
    for (std::uint32_t node = 0; node < kFsmNodes; ++node)
        if (nodes[node] != 0) ::appendStringInfo(&out, "%u: %u\n", node, nodes[node]);
    ::appendStringInfo(&out, "fp_next_slot: %d\n", pg::fsm_next_slot(page));
    return ::cstring_to_text_with_len(out.data, out.len);
}

// The common shape of a set-returning function over one table.
Datum over_table(FunctionCallInfo fcinfo, void (*list)(Relation, Rows *)) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    list(rel, &rows);
    close_table(rel);
    return 0;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_freespace_block);
PGDLLEXPORT Datum glassheap_freespace_block(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    const BlockNo block = to_block(PG_GETARG_INT64(1));
    const Size avail = fsm::recorded(rel, block);
    close_table(rel);
    PG_RETURN_INT16(static_cast<int16>(avail));
}

PG_FUNCTION_INFO_V1(glassheap_freespace);
PGDLLEXPORT Datum glassheap_freespace(PG_FUNCTION_ARGS) {
    return over_table(fcinfo, list_free_space);
}

PG_FUNCTION_INFO_V1(glassheap_freespace_summary);
PGDLLEXPORT Datum glassheap_freespace_summary(PG_FUNCTION_ARGS) {
    return over_table(fcinfo, count_categories);
}

PG_FUNCTION_INFO_V1(glassheap_fsm_check);
PGDLLEXPORT Datum glassheap_fsm_check(PG_FUNCTION_ARGS) {
    return over_table(fcinfo, list_deviations);
}

PG_FUNCTION_INFO_V1(glassheap_fsm_tree);
PGDLLEXPORT Datum glassheap_fsm_tree(PG_FUNCTION_ARGS) {
    return over_table(fcinfo, list_tree);
}

PG_FUNCTION_INFO_V1(glassheap_fsm_page_contents);
PGDLLEXPORT Datum glassheap_fsm_page_contents(PG_FUNCTION_ARGS) {
    require_superuser();
    const char *page = page_from_bytea(PG_GETARG_BYTEA_PP(0));
    if (page::PageView(page).is_new()) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(describe_map_page(page));
}

PG_FUNCTION_INFO_V1(glassheap_fsm_page_contents_of);
PGDLLEXPORT Datum glassheap_fsm_page_contents_of(PG_FUNCTION_ARGS) {
    require_superuser();
    const char *page = copy_page_of(PG_GETARG_OID(0), FSM_FORKNUM, PG_GETARG_INT64(1));
    if (page::PageView(page).is_new()) PG_RETURN_NULL();
    PG_RETURN_TEXT_P(describe_map_page(page));
}

}  // extern "C"

}  // namespace glassheap::introspect
