// pg/resource.cpp — see pg/resource.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "pg/resource.hpp"

namespace glassheap::pg {

constinit PinTable pin_table;

namespace {

constinit PinOwner pin_owner = {nullptr, nullptr, nullptr};

void drop(FrameNo frame) noexcept {
    if (pin_table.remove(frame)) pin_owner.drop_shared_pin(frame);
}

extern "C" void glassheap_release_pins(ResourceReleasePhase phase, bool is_commit, bool is_top_level,
                                       void *arg) {
    (void)is_top_level;
    (void)arg;
    if (phase != RESOURCE_RELEASE_BEFORE_LOCKS) return;
    if (!is_commit) pin_owner.abort_io();
    if (pin_table.empty()) return;
    for (;;) {
        const FrameNo frame = pin_table.find_of(CurrentResourceOwner, false);
        if (frame == kNoFrame) break;
        if (is_commit) {
            char what[128];
            pin_owner.describe(frame, what, sizeof what);
            elog(WARNING, "glassheap: leaked pin: %s", what);
        }
        drop(frame);
    }
    if (pin_table.empty()) pin_table.shrink();
}

}  // namespace

bool PinTable::remove(FrameNo frame) noexcept {
    std::uint32_t found = mask_ + 1;
    std::uint32_t entries_of_frame = 0;
    for (std::uint32_t at = home(frame); entries_[at].count != 0; at = next(at)) {
        if (entries_[at].frame != frame) continue;
        ++entries_of_frame;
        if (found > mask_ || entries_[at].owner == CurrentResourceOwner) found = at;
        if (entries_[at].owner == CurrentResourceOwner && entries_[at].count > 1) break;
    }
    GH_ASSERT(found <= mask_);
    if (found > mask_) return false;
    if (--entries_[found].count > 0) return false;
    erase(found);
    return entries_of_frame == 1;
}

// Linear probing without tombstones: later entries of the run move up when that brings them home.
void PinTable::erase(std::uint32_t at) noexcept {
    --live_;
    std::uint32_t hole = at;
    for (std::uint32_t i = next(hole); entries_[i].count != 0; i = next(i)) {
        const std::uint32_t from_home = (i - home(entries_[i].frame)) & mask_;
        const std::uint32_t from_hole = (i - hole) & mask_;
        if (from_home < from_hole) continue;
        entries_[hole] = entries_[i];
        hole = i;
    }
    entries_[hole] = {0, 0, nullptr};
}

FrameNo PinTable::find_of(ResourceOwner owner, bool any) const noexcept {
    if (live_ == 0) return kNoFrame;
    for (std::uint32_t at = 0; at <= mask_; ++at)
        if (entries_[at].count != 0 && (any || entries_[at].owner == owner)) return entries_[at].frame;
    return kNoFrame;
}

void PinTable::grow() {
    const std::uint32_t slots = (mask_ + 1) * 4;
    auto *bigger = static_cast<PinEntry *>(::MemoryContextAllocExtended(
        TopMemoryContext, slots * sizeof(PinEntry), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    PinEntry *old = entries_;
    const std::uint32_t old_slots = mask_ + 1;
    entries_ = bigger;
    mask_ = slots - 1;
    limit_ = slots / 2;
    for (std::uint32_t i = 0; i < old_slots; ++i) {
        if (old[i].count == 0) continue;
        std::uint32_t at = home(old[i].frame);
        while (entries_[at].count != 0) at = next(at);
        entries_[at] = old[i];
    }
    if (old != small_) ::pfree(old);
}

void PinTable::shrink() noexcept {
    if (entries_ == small_) return;
    ::pfree(entries_);
    std::memset(small_, 0, sizeof small_);
    entries_ = small_;
    mask_ = kSmall - 1;
    limit_ = kSmall / 2;
}

void install_pin_owner(const PinOwner &owner) {
    pin_owner = owner;
    ::RegisterResourceReleaseCallback(glassheap_release_pins, nullptr);
}

void release_all_pins() noexcept {
    pin_owner.abort_io();
    for (;;) {
        const FrameNo frame = pin_table.find_of(nullptr, true);
        if (frame == kNoFrame) break;
        drop(frame);
    }
}

}  // namespace glassheap::pg
