// vacuum/rounds.cpp — one round of index vacuuming and heap vacuuming, or the decision to do without.
//
// Why:    scanning all indexes for a handful of dead items costs more than the items do.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "vacuum/vacuum_state.hpp"

namespace glassheap::vacuum {
namespace {

constexpr double kBypassPagesShare = 0.02;
// As many TIDs as heap keeps in 32 MB: the limit users know from there.
constexpr std::int64_t kBypassItemsMax = (32L * 1024 * 1024 - 8) / static_cast<int>(sizeof(ItemPointerData));

// Pages with dead items matter more than the items: they are what stays not all-visible.
bool hardly_worth_it(const VacuumState &state) {
    if (!state.plan.may_bypass || state.pages_at_start == 0) return false;
    const auto threshold =
        static_cast<BlockNo>(static_cast<double>(state.pages_at_start) * kBypassPagesShare);
    return state.counts.pages_with_dead_items < threshold && state.counts.dead_items < kBypassItemsMax;
}

}  // namespace

void decide_and_vacuum(VacuumState &state) {
    GH_ASSERT(state.index_count > 0);
    if (state.plan.index_vacuuming) {
        if (hardly_worth_it(state))
            state.plan.index_vacuuming = false;
        else if (vacuum_indexes(state))
            vacuum_heap_pages(state);
    }
    state.dead->reset();
}

}  // namespace glassheap::vacuum
