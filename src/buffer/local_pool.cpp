// buffer/local_pool.cpp — see buffer/local_pool.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/local_pool.hpp"

#include "buffer/page_tag.hpp"
#include "buffer/pool_internal.hpp"
#include "buffer/verify.hpp"
#include "pg/pg_local_buffers.hpp"
#include "pg/pg_usage.hpp"
#include "storage/files.hpp"
#include "storage/grow.hpp"

namespace glassheap::buffer {

namespace {

struct LocalFrame {
    PageTag tag;
    std::uint32_t pins;
    std::uint8_t usage;
    bool tagged;
    bool valid;
    bool dirty;
    std::uint64_t known;
};
struct MapEntry {
    PageTag tag;  // key
    std::int32_t index;
};

constexpr std::uint8_t kUsageMax = 5;
constexpr std::size_t kPagesPerChunk = 32;

// All in TopMemoryContext, made on first use; pages come in chunks as they are needed.
constinit LocalFrame *frames = nullptr;
constinit char **chunks = nullptr;
constinit HTAB *map = nullptr;
constinit int frame_total = 0;
constinit int frame_used = 0;  // frames 0 .. used-1 have been handed out
constinit int hand = 0;

FrameNo to_frame(int index) noexcept {
    return -2 - index;
}
int to_index(FrameNo frame) noexcept {
    return -2 - frame;
}

char *data_of(int index) noexcept {
    const auto i = static_cast<std::size_t>(index);
    auto base = reinterpret_cast<std::uintptr_t>(chunks[i / kPagesPerChunk]);
    base = (base + 4095) & ~std::uintptr_t{4095};
    return reinterpret_cast<char *>(base) + (i % kPagesPerChunk) * page::kPageSize;
}

// Core refuses another temp_buffers once its own local buffers exist.  Making them (descriptors only) when
// ours are puts us under the same rule, with the same words; asking for a prefetch is the way to have them
// made.
void fix_temp_buffers(const ForkRef &fork) {
    ::PrefetchLocalBuffer(::smgropen(fork.owned.file, fork.owned.backend), MAIN_FORKNUM, 0);
}

// pool.L3.
void assert_mine([[maybe_unused]] const pg::OwnedFile &owned) noexcept {
    GH_ASSERT(owned.backend == pg::my_temp_backend());
}

void start(const ForkRef &fork) {
    assert_mine(fork.owned);
    if (map != nullptr) return;
    fix_temp_buffers(fork);
    const int total = std::max(NLocBuffer, 16);  // what core fixed, whatever becomes of the setting
    const std::size_t chunk_count = (static_cast<std::size_t>(total) + kPagesPerChunk - 1) / kPagesPerChunk;
    if (frames == nullptr)
        frames = static_cast<LocalFrame *>(::MemoryContextAllocExtended(
            TopMemoryContext, static_cast<std::size_t>(total) * sizeof(LocalFrame),
            MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    if (chunks == nullptr)
        chunks =
            static_cast<char **>(::MemoryContextAllocZero(TopMemoryContext, chunk_count * sizeof(char *)));
    frame_total = total;
    HASHCTL info = {};
    info.keysize = sizeof(PageTag);
    info.entrysize = sizeof(MapEntry);
    map = ::hash_create("glassheap pages of temporary tables", total, &info, HASH_ELEM | HASH_BLOBS);
}

PageTag tag_of(const ForkRef &fork, BlockNo block) noexcept {
    return make_tag(fork.owned.file, fork.fork, block);
}

int lookup(const PageTag &tag) noexcept {
    if (map == nullptr) return -1;
    const auto *entry = static_cast<MapEntry *>(::hash_search(map, &tag, HASH_FIND, nullptr));
    return entry == nullptr ? -1 : entry->index;
}

void drop_page(int index) noexcept {
    LocalFrame &f = frames[index];
    if (f.tagged) ::hash_search(map, &f.tag, HASH_REMOVE, nullptr);
    f.tagged = f.valid = f.dirty = false;
    f.usage = 0;
    f.known = 0;
}

void write_page(int index) {
    LocalFrame &f = frames[index];
    const pg::RelFile file = file_of(f.tag);
    if (storage::file_exists(file, pg::my_temp_backend(), MAIN_FORKNUM)) {
        storage::write_block(file, pg::my_temp_backend(), fork_number(f.tag), f.tag.block, data_of(index));
        ++pgBufferUsage.local_blks_written;
    }
    f.dirty = false;
}

int never_used() {
    if (frame_used >= frame_total) return -1;
    char *&chunk = chunks[static_cast<std::size_t>(frame_used) / kPagesPerChunk];
    if (chunk == nullptr)
        chunk = static_cast<char *>(
            ::MemoryContextAlloc(TopMemoryContext, kPagesPerChunk * page::kPageSize + 4096));
    return frame_used++;
}

// A frame without a page.
int claim() {
    const int fresh = never_used();
    if (fresh >= 0) return fresh;
    for (int seen_pinned = 0; seen_pinned < frame_total;) {
        const int index = hand;
        hand = hand + 1 < frame_total ? hand + 1 : 0;
        LocalFrame &f = frames[index];
        if (f.pins > 0) {
            ++seen_pinned;
            continue;
        }
        seen_pinned = 0;
        if (f.usage > 0) {
            --f.usage;
            continue;
        }
        if (f.dirty) write_page(index);
        drop_page(index);
        return index;
    }
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                    errmsg("no empty page available for glassheap's temporary tables"),
                    errhint("Increase temp_buffers.")));
}

void pin_local(int index) noexcept {
    LocalFrame &f = frames[index];
    if (pg::pin_table.add_if_pinned(to_frame(index))) return;
    ++f.pins;
    if (f.usage < kUsageMax) ++f.usage;
    pg::pin_table.add_first(to_frame(index));
}

int insert(const PageTag &tag) {
    const int index = claim();
    auto *entry = static_cast<MapEntry *>(::hash_search(map, &tag, HASH_ENTER, nullptr));
    entry->index = index;
    LocalFrame &f = frames[index];
    f.tag = tag;
    f.tagged = true;
    f.valid = f.dirty = false;
    f.usage = 0;
    f.known = 0;
    return index;
}

PinnedPage adopt(int index, BlockNo block) noexcept {
    return PoolAccess::adopt(to_frame(index), data_of(index), block);
}

void read_in(int index, const ForkRef &fork, BlockNo block, ReadMode mode) {
    IoTimer timer;
    storage::read_block(fork.owned.file, fork.owned.backend, fork.fork, block, data_of(index));
    if (track_io_timing) {
        std::atomic<std::uint64_t> unused{0};
        timer.stop(pg::local_read_time(), unused);
        pg::count_read_time(timer.micros());
    }
    pg::count_local_read();
    verify_page(data_of(index), fork.owned.file, fork.owned.backend, fork.fork, block, mode);
    frames[index].valid = true;
}

bool matches(const LocalFrame &f, const pg::OwnedFile &owned, int fork, BlockNo first) noexcept {
    if (!f.tagged || f.tag.relation != pg::number_of(owned.file) ||
        f.tag.database != pg::database_of(owned.file) || f.tag.space != pg::tablespace_of(owned.file))
        return false;
    return fork < 0 || (f.tag.fork == static_cast<std::uint32_t>(fork) && f.tag.block >= first);
}

}  // namespace

void refuse_temp_of_others() {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary tables of other sessions")));
    pg_unreachable();
}

PinnedPage local_read(const ForkRef &fork, BlockNo block, ReadMode mode, bool *hit) {
    GH_ASSERT(mode != ReadMode::empty_if_torn);
    start(fork);
    reserve_pin();
    const PageTag tag = tag_of(fork, block);
    int index = lookup(tag);
    *hit = index >= 0 && frames[index].valid;
    if (index < 0) index = insert(tag);
    pin_local(index);
    PinnedPage page = adopt(index, block);
    if (*hit)
        pg::count_local_hit();
    else
        read_in(index, fork, block, mode);
    return page;
}

bool local_is_cached(const ForkRef &fork, BlockNo block) noexcept {
    assert_mine(fork.owned);
    return lookup(tag_of(fork, block)) >= 0;
}

PinnedPage local_read_if_cached(const ForkRef &fork, BlockNo block) {
    assert_mine(fork.owned);
    const int index = lookup(tag_of(fork, block));
    if (index < 0 || !frames[index].valid) return {};
    reserve_pin();
    pin_local(index);
    pg::count_local_hit();
    return adopt(index, block);
}

PinnedPage local_repin(const ForkRef &fork, BlockNo block, FrameNo hint) {
    assert_mine(fork.owned);
    const int index = to_index(hint);
    if (index < 0 || index >= frame_used) return {};
    const LocalFrame &f = frames[index];
    if (!f.tagged || !f.valid || !(f.tag == tag_of(fork, block))) return {};
    reserve_pin();
    pin_local(index);
    pg::count_local_hit();
    return adopt(index, block);
}

PinnedPage local_extend(const ForkRef &fork, BlockNo first, BlockNo count) {
    start(fork);
    reserve_pin();
    const PageTag tag = tag_of(fork, first);
    int index = lookup(tag);
    if (index < 0) index = insert(tag);
    pin_local(index);
    PinnedPage page = adopt(index, first);
    storage::extend_zeroed(fork.owned.file, fork.owned.backend, fork.fork, first, count);
    pg::count_pages_added(fork.fork, true, count);
    std::memset(page.data(), 0, page::kPageSize);
    frames[index].valid = true;
    return page;
}

void local_unpin(FrameNo frame) noexcept {
    LocalFrame &f = frames[to_index(frame)];
    GH_ASSERT(f.pins > 0);
    --f.pins;
}

void local_mark_dirty(FrameNo frame) noexcept {
    LocalFrame &f = frames[to_index(frame)];
    // A page dropped while its transaction still had it pinned is nobody's.
    if (!f.tagged || f.dirty) return;
    f.dirty = true;
    ++pgBufferUsage.local_blks_dirtied;
}

std::uint64_t &local_known(FrameNo frame) noexcept {
    return frames[to_index(frame)].known;
}

void local_forget(const pg::OwnedFile &owned, int fork, BlockNo first) noexcept {
    assert_mine(owned);
    for (int i = 0; i < frame_used; ++i)
        if (matches(frames[i], owned, fork, first)) drop_page(i);
}

void local_flush(const pg::OwnedFile &owned) {
    assert_mine(owned);
    for (int i = 0; i < frame_used; ++i)
        if (matches(frames[i], owned, -1, 0) && frames[i].dirty) write_page(i);
}

}  // namespace glassheap::buffer
