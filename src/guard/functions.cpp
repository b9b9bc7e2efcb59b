// guard/functions.cpp — see functions.hpp: one table, and who does the work.
//
// Why:    everything the server exports that works on the pages of a table it is given, main or free space
//         fork, without asking the table's access method.  What takes a page or a buffer alone
//         (heap_page_prune_ execute, HeapTupleSatisfies...) cannot be told apart from a heap's, and cannot be
//         reached without one of these or ReadBuffer.
// Invariants: guard.F1 sorted by name, bytewise (install() asserts it).
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "guard/functions.hpp"
#include "guard/routed.hpp"
#include "guard/wrap.hpp"

namespace glassheap::guard {

namespace {

// The name, and what happens with our tables.  A relocation is not a constant expression: no constexpr.
#define GH_ROUTED(function)                                                                   \
    {                                                                                         \
#function, reinterpret_cast < const void *>(&::function),                             \
            reinterpret_cast < void *>(&Wrapper <&::function, &routed::function>::call), true \
    }
#define GH_REFUSED(function)                                                         \
    {                                                                                \
#function, reinterpret_cast < const void *>(&::function),                    \
            reinterpret_cast < void *>(&Wrapper <&::function, nullptr>::call), false \
    }

const Guarded kFunctions[] = {
    GH_ROUTED(CatalogTupleDelete),
    GH_ROUTED(CatalogTupleInsert),
    GH_ROUTED(CatalogTupleInsertWithInfo),
    GH_ROUTED(CatalogTupleUpdate),
    GH_ROUTED(CatalogTupleUpdateWithInfo),
    GH_ROUTED(CatalogTuplesMultiInsertWithInfo),
    GH_ROUTED(FlushRelationBuffers),
    GH_REFUSED(FreeSpaceMapPrepareTruncateRel),
    GH_REFUSED(FreeSpaceMapVacuum),
    GH_REFUSED(FreeSpaceMapVacuumRange),
    GH_REFUSED(GetPageWithFreeSpace),
    GH_REFUSED(RecordAndGetPageWithFreeSpace),
    GH_REFUSED(RecordPageWithFreeSpace),
    GH_REFUSED(RelationGetBufferForTuple),
    GH_REFUSED(RelationPutHeapTuple),
    GH_REFUSED(RelationTruncate),
    GH_REFUSED(begin_heap_rewrite),
    GH_ROUTED(heap_abort_speculative),
    GH_ROUTED(heap_beginscan),
    GH_ROUTED(heap_delete),
    GH_ROUTED(heap_endscan),
    GH_ROUTED(heap_fetch),
    GH_ROUTED(heap_finish_speculative),
    GH_ROUTED(heap_get_latest_tid),
    GH_ROUTED(heap_getnext),
    GH_ROUTED(heap_getnextslot),
    GH_ROUTED(heap_getnextslot_tidrange),
    GH_REFUSED(heap_hot_search_buffer),
    GH_ROUTED(heap_index_delete_tuples),
    GH_SINCE_15_10(GH_REFUSED(heap_inplace_lock))  //
    GH_REFUSED(heap_inplace_update),
    GH_ROUTED(heap_insert),
    GH_ROUTED(heap_lock_tuple),
    GH_ROUTED(heap_multi_insert),
    GH_REFUSED(heap_page_prune),
    GH_REFUSED(heap_page_prune_opt),
    GH_ROUTED(heap_rescan),
    GH_ROUTED(heap_set_tidrange),
    GH_ROUTED(heap_setscanlimits),
    GH_ROUTED(heap_update),
    GH_ROUTED(heap_vacuum_rel),
    GH_REFUSED(heapgetpage),
    GH_REFUSED(log_newpage_range),
    GH_ROUTED(simple_heap_delete),
    GH_ROUTED(simple_heap_insert),
    GH_ROUTED(simple_heap_update),
    GH_SINCE_15_10(GH_REFUSED(systable_inplace_update_begin))  //
    GH_REFUSED(visibilitymap_set),
};

#undef GH_ROUTED
#undef GH_REFUSED

static_assert(std::size(kFunctions) <= kMostGuarded);

struct AddressRange {
    const void *first;
    const void *last;
};

AddressRange stock_addresses() noexcept {
    AddressRange range{kFunctions[0].stock, kFunctions[0].stock};
    for (const Guarded &function : kFunctions) {
        if (function.stock == nullptr) continue;
        range = {std::min(range.first, function.stock), std::max(range.last, function.stock)};
    }
    return range;
}

}  // namespace

const Guarded *const guarded_functions = kFunctions;
const std::size_t guarded_count = std::size(kFunctions);

// Libraries import thousands of names; hardly one begins like these.
const Guarded *find_guarded(const char *name) noexcept {
    if (std::strchr("CFGRbhlsv", name[0]) == nullptr) return nullptr;
    std::size_t low = 0;
    std::size_t high = guarded_count;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        const int order = std::strcmp(name, kFunctions[middle].name);
        if (order == 0) return kFunctions[middle].stock != nullptr ? &kFunctions[middle] : nullptr;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return nullptr;
}

const Guarded *find_stock(const void *address) noexcept {
    // Asked of every word of a library's data: hardly one passes this.
    static const AddressRange range = stock_addresses();
    if (address < range.first || address > range.last) return nullptr;
    for (const Guarded &function : kFunctions)
        if (function.stock == address) return &function;
    return nullptr;
}

}  // namespace glassheap::guard
