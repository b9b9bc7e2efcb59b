// vacuum/second_pass.cpp — dead line pointers that no index knows any more become unused.
//
// Why:    vacuum.U1.  Only pages with dead items are visited; each gets one record for its line pointers and
//         its visibility map bits.
// Locking: exclusive latch of the page (tuples do not move, so pins of others do no harm), then the VM page.
// Errors: may longjmp before the critical section.
// WAL:    RecordType::vacuum.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_vacuum.hpp"

#include "debug/stop_points.hpp"
#include "fsm/free_space_map.hpp"
#include "vacuum/vacuum_state.hpp"
#include "vm/visibility_map.hpp"
#include "wal/emit.hpp"

namespace glassheap::vacuum {
namespace {

std::uint8_t map_bits_for(const PageJudgement &judgement) noexcept {
    if (!judgement.all_visible) return 0;
    return judgement.all_frozen ? vm::kBothBits : vm::kAllVisibleBit;
}

// What was dead must still be: other vacuums are locked out, and nobody else touches dead items.
std::span<const SlotNo> still_dead(page::PageView view, std::span<SlotNo> slots) {
    const auto is_other = [view](SlotNo slot) {
        return slot > view.max_slot() || !view.line(slot).is_dead();
    };
    const auto end = std::remove_if(slots.begin(), slots.end(), is_other);
    GH_ASSERT(end == slots.end());
    return slots.first(static_cast<std::size_t>(end - slots.begin()));
}

void reclaim_items(VacuumState &state, const buffer::PinnedPage &page, std::span<const SlotNo> dead,
                   Buffer vmbuf) {
    const PageJudgement judgement = judge_page(state, page, dead);
    const std::uint8_t bits = map_bits_for(judgement);
    vm::VmLock map_lock(bits != 0 ? vmbuf : InvalidBuffer);

    buffer::PageChange change;
    change.add(page);
    page.edit().apply_vacuum(dead);
    if (bits != 0) {
        page.edit().set_all_visible(true);
        vm::set_bits_locked(vmbuf, page.block(), bits);
    }
    if (RelationNeedsWAL(state.rel))
        wal::emit_vacuum(state.rel, page, dead, judgement.newest_xmin, bits != 0 ? vmbuf : InvalidBuffer,
                         bits);
    change.finish();
}

// Returns the page's free space afterwards.
Size vacuum_page(VacuumState &state, BlockNo block, Buffer vmbuf) {
    page::SlotList slots = state.dead->slots_of(block);
    const buffer::PinnedPage page = buffer::read_page(state.rel, MAIN_FORKNUM, block, state.ring);
    const buffer::ExclusiveLatch latch(page);
    const std::span<const SlotNo> dead = still_dead(page.view(), span_of(slots));
    if (!dead.empty()) reclaim_items(state, page, dead, vmbuf);
    return page.view().free_space_for_tuple();
}

}  // namespace

void vacuum_heap_pages(VacuumState &state) {
    ::pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_VACUUM_HEAP);
    const PlaceGuard place(state, Phase::vacuum_heap);
    GH_STOP_POINT("vacuum.before_second_pass");
    Buffer vmbuf = InvalidBuffer;
    const DeadItems &dead = *state.dead;
    for (BlockNo block = dead.next_block(0); block != kInvalidBlock; block = dead.next_block(block + 1)) {
        pg::vacuum_pause();
        state.place.block = block;
        ::pgstat_progress_update_param(PROGRESS_VACUUM_HEAP_BLKS_VACUUMED, block);
        vm::pin(state.rel, block, &vmbuf);
        const Size avail = vacuum_page(state, block, vmbuf);
        fsm::record(state.rel, block, avail);
    }
    if (BufferIsValid(vmbuf)) ::ReleaseBuffer(vmbuf);
    ereport(DEBUG2,
            (errmsg_internal("table \"%s\": removed %lld dead item identifiers in %u pages", state.table_name,
                             static_cast<long long>(dead.count()), dead.blocks_with_items())));
}

}  // namespace glassheap::vacuum
