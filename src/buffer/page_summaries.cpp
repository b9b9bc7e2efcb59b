// buffer/page_summaries.cpp — see buffer/page_summaries.hpp.
//
// Locking: a set belongs to the partition of its number.
// Errors: never longjmps; mapping is FATAL where shared memory does not suffice.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/page_summaries.hpp"

#include "buffer/extent_summaries.hpp"
#include "buffer/settings.hpp"
#include "buffer/stats.hpp"

namespace glassheap::buffer {

namespace {

constexpr int kParts = 64;
constexpr std::uint32_t kRelationHashes = 1024;

struct alignas(64) Part {
    LWLock lock;
    std::atomic<std::uint64_t> asked, found, kept;
};
// Of all relations of one hash.
struct OfRelations {
    std::atomic<std::uint32_t> extents;  // that have summaries
    std::atomic<std::uint32_t> end;      // above the highest extent there ever was
};

struct PageSummaries {
    Part parts[kParts];
    std::atomic<std::uint32_t> extents;  // in all
    int tranche;
    OfRelations relations[kRelationHashes];
    SummarySet sets[1];  // as many as there are
};

constinit PageSummaries *summaries = nullptr;
constinit std::uint32_t set_count = 0;  // 0: nothing is kept

std::uint32_t sets_wanted() noexcept {
    constexpr std::uint64_t kPartOfPool = 64;
    const std::uint64_t bytes =
        page_summaries_setting < 0
            ? static_cast<std::uint64_t>(buffers_setting) * page::kPageSize / kPartOfPool
            : static_cast<std::uint64_t>(page_summaries_setting) * 1024;
    if (bytes == 0) return 0;
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, bytes / sizeof(SummarySet)));
}

OfRelations &of_relations(const PageTag &tag) noexcept {
    return summaries->relations[hash_relation(tag) % kRelationHashes];
}

// The extents of a table follow one another in the sets, round and round, so that they get in each other's
// way only where all of the table is full.
struct Place {
    SummarySet &set;
    Part &part;
    int way;
};
Place place_of(const PageTag &tag) noexcept {
    const std::uint64_t number = std::uint64_t{hash_relation(tag)} + tag.block / kExtentBlocks;
    const auto set = static_cast<std::uint32_t>(number % set_count);
    return {.set = summaries->sets[set],
            .part = summaries->parts[set % kParts],
            .way = static_cast<int>(number / set_count % SummarySet::kWays)};
}

void count_extents(const PageTag &tag, std::uint32_t by) noexcept {
    of_relations(tag).extents.fetch_add(by, std::memory_order_relaxed);
    summaries->extents.fetch_add(by, std::memory_order_relaxed);
}

void note_end(const PageTag &tag) noexcept {
    std::atomic<std::uint32_t> &end = of_relations(tag).end;
    const std::uint32_t mine = tag.block / kExtentBlocks + 1;
    std::uint32_t seen = end.load(std::memory_order_relaxed);
    while (seen < mine && !end.compare_exchange_weak(seen, mine, std::memory_order_relaxed)) {
    }
}

void count_entry(Kept how, const PageTag &tag, const PageTag &replaced) noexcept {
    if (how != Kept::anew && how != Kept::replacing) return;
    note_end(tag);
    count_extents(tag, 1);
    if (how == Kept::replacing) count_extents(replaced, static_cast<std::uint32_t>(-1));
}

template <typename IsWanted>
void forget_in(std::uint32_t set, IsWanted is_wanted) noexcept {
    Part &part = summaries->parts[set % kParts];
    ::LWLockAcquire(&part.lock, LW_EXCLUSIVE);
    summaries->sets[set].forget([&](const ExtentSummaries &extent) noexcept {
        const PageTag tag = extent.first_page();
        if (!is_wanted(tag)) return false;
        count_extents(tag, static_cast<std::uint32_t>(-1));
        return true;
    });
    ::LWLockRelease(&part.lock);
}

bool has_any() noexcept {
    return set_count != 0 && summaries->extents.load(std::memory_order_relaxed) != 0;
}

}  // namespace

std::size_t page_summaries_bytes() noexcept {
    return sizeof(PageSummaries) + sets_wanted() * sizeof(SummarySet) + alignof(PageSummaries);
}

void map_page_summaries(bool fresh) {
    bool found;
    void *memory = ::ShmemInitStruct("Glassheap Page Summaries", page_summaries_bytes(), &found);
    constexpr std::uintptr_t kMask = alignof(PageSummaries) - 1;
    summaries =
        reinterpret_cast<PageSummaries *>((reinterpret_cast<std::uintptr_t>(memory) + kMask) & ~kMask);
    set_count = sets_wanted();
    if (fresh) {
        std::memset(static_cast<void *>(summaries), 0, page_summaries_bytes() - alignof(PageSummaries));
        summaries->tranche = ::LWLockNewTrancheId();
        for (Part &part : summaries->parts) ::LWLockInitialize(&part.lock, summaries->tranche);
    }
    ::LWLockRegisterTranche(summaries->tranche, "GlassheapPageSummaries");
}

void keep_summary(FrameNo frame) noexcept {
    constexpr std::uint64_t kWanted = Frame::kKnown | Frame::kKeep;
    const Frame &f = frame_at(frame);
    const std::uint64_t known = f.known.load(std::memory_order_relaxed);
    if ((known & kWanted) != kWanted || set_count == 0) return;
    const Lsn lsn = load_page_lsn(page_at(frame));
    if (lsn == kInvalidLsn) return;
    const Place place = place_of(f.tag);
    PageTag replaced = {};
    ::LWLockAcquire(&place.part.lock, LW_EXCLUSIVE);
    const Kept how = place.set.keep(f.tag, lsn, static_cast<Xid>(known), place.way, &replaced);
    count_entry(how, f.tag, replaced);
    ::LWLockRelease(&place.part.lock);
    if (how != Kept::turned_away) place.part.kept.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t summary_of_read_page(FrameNo frame) noexcept {
    const PageTag &tag = frame_at(frame).tag;
    const page::PageView view(page_at(frame));
    // PD_ALL_VISIBLE says as much.
    if (fork_number(tag) != MAIN_FORKNUM || view.all_visible() || view.lsn() == kInvalidLsn || !has_any())
        return 0;
    const Place place = place_of(tag);
    ::LWLockAcquire(&place.part.lock, LW_SHARED);
    const Xid newest = place.set.find(tag, view.lsn());
    ::LWLockRelease(&place.part.lock);
    place.part.asked.fetch_add(1, std::memory_order_relaxed);
    if (newest == kInvalidXid) return 0;
    place.part.found.fetch_add(1, std::memory_order_relaxed);
    // Not kKeep: it is here already.
    return Frame::kKnown | newest;
}

void forget_summaries(const pg::RelFile &file) noexcept {
    if (!has_any()) return;
    const PageTag tag = make_tag(file, MAIN_FORKNUM, 0);
    const OfRelations &mine = of_relations(tag);
    const std::uint32_t end = std::min(mine.end.load(std::memory_order_relaxed), set_count);
    for (std::uint32_t i = 0; i < end && mine.extents.load(std::memory_order_relaxed) != 0; ++i) {
        const auto set = static_cast<std::uint32_t>((std::uint64_t{hash_relation(tag)} + i) % set_count);
        forget_in(set, [&](const PageTag &other) noexcept { return other.same_relation(tag); });
    }
}

void forget_summaries_of(Oid database, Oid tablespace) noexcept {
    if (!has_any()) return;
    for (std::uint32_t set = 0; set < set_count; ++set)
        forget_in(set, [&](const PageTag &tag) noexcept {
            return tag.database == database && (!OidIsValid(tablespace) || tag.space == tablespace);
        });
}

void read_summaries(SummariesInfo *info) noexcept {
    *info = {.bytes = set_count * sizeof(SummarySet),
             .extents = std::int64_t{set_count} * SummarySet::kWays,
             .extents_used = summaries->extents.load(std::memory_order_relaxed)};
    for (const Part &part : summaries->parts) {
        info->asked += part.asked.load(std::memory_order_relaxed);
        info->found += part.found.load(std::memory_order_relaxed);
        info->kept += part.kept.load(std::memory_order_relaxed);
    }
}

void reset_summary_counts() noexcept {
    for (Part &part : summaries->parts)
        for (auto *count : {&part.asked, &part.found, &part.kept}) count->store(0, std::memory_order_relaxed);
}

}  // namespace glassheap::buffer
