// pg/shared_buffers.cpp — see pg/pg_buffers.hpp.  PostgreSQL 15.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg_buffers.hpp"

extern "C" {
#include "storage/buf_internals.h"
}

namespace glassheap::pg {

namespace {

BufferTag tag_at(const CorePlace &place) noexcept {
    BufferTag tag;
    INIT_BUFFERTAG(tag, place.file, place.fork, place.block);
    return tag;
}

// One word: a page that is being changed shows the LSN before or after.
XLogRecPtr page_lsn(int index) noexcept {
    const auto *page = reinterpret_cast<const std::uint64_t *>(BufferGetPage(index + 1));
    const std::uint64_t halves = __atomic_load_n(page, __ATOMIC_ACQUIRE);
    return (halves << 32) | (halves >> 32);
}

// The mapping partition of a tag, held while in scope; nothing in between longjmps.
class Partition {
public:
    Partition(const CorePlace &place, LWLockMode mode) noexcept : tag_(tag_at(place)) {
        hash_ = ::BufTableHashCode(&tag_);
        ::LWLockAcquire(BufMappingPartitionLock(hash_), mode);
    }
    ~Partition() { ::LWLockRelease(BufMappingPartitionLock(hash_)); }
    Partition(const Partition &) = delete;
    Partition &operator=(const Partition &) = delete;

    int find() noexcept { return ::BufTableLookup(&tag_, hash_); }
    void remove() noexcept { ::BufTableDelete(&tag_, hash_); }

private:
    BufferTag tag_;
    std::uint32_t hash_;
};

constinit ResourceOwner own_owner = nullptr;

// A pin needs an owner; our workers have none outside a transaction.
class PinOwner {
public:
    PinOwner() : before_(CurrentResourceOwner) {
        if (before_ != nullptr) return;
        if (own_owner == nullptr) own_owner = ::ResourceOwnerCreate(nullptr, "glassheap shared_buffers");
        CurrentResourceOwner = own_owner;
    }
    ~PinOwner() { CurrentResourceOwner = before_; }
    PinOwner(const PinOwner &) = delete;
    PinOwner &operator=(const PinOwner &) = delete;

private:
    ResourceOwner before_;
};

bool pin(const CorePlace &place, Buffer buffer) {
    return ::ReadRecentBuffer(place.file, place.fork, place.block, buffer);
}

bool locked_by_me(Buffer buffer) noexcept {
    return ::LWLockHeldByMe(BufferDescriptorGetContentLock(GetBufferDescriptor(buffer - 1)));
}

// A reader may wait for the disk, or be stopped.  A copy whose read has failed is in no I/O.
void nap_while_in_io(const CorePlace &place) {
    constexpr long kLongestUs = 100'000L;
    long pause = 1000L;
    do {
        CHECK_FOR_INTERRUPTS();
        ::pgstat_report_wait_start(WAIT_EVENT_BUFFER_IO);
        ::pg_usleep(pause);
        ::pgstat_report_wait_end();
        pause = std::min(2 * pause, kLongestUs);
    } while (look_at_core_copy(place).in_io);
}

}  // namespace

bool has_core_copy(const CorePlace &place) noexcept {
    Partition partition(place, LW_SHARED);
    return partition.find() >= 0;
}

CoreCopy look_at_core_copy(const CorePlace &place) noexcept {
    Partition partition(place, LW_SHARED);
    const int index = partition.find();
    if (index < 0) return {};
    BufferDesc *desc = GetBufferDescriptor(index);
    std::uint32_t state = ::LockBufHdr(desc);
    const bool valid = (state & BM_VALID) != 0;
    const CoreCopy copy = {.present = true,
                           .dirty = valid && (state & BM_DIRTY) != 0,
                           .pinned = BUF_STATE_GET_REFCOUNT(state) != 0,
                           .in_io = (state & BM_IO_IN_PROGRESS) != 0,
                           .all_visible = valid && PageIsAllVisible(BufferGetPage(index + 1)),
                           .lsn = valid ? page_lsn(index) : InvalidXLogRecPtr,
                           .buffer = index + 1};
    UnlockBufHdr(desc, state);
    return copy;
}

bool evict_core_copy(const CorePlace &place, XLogRecPtr dirty_upto, XLogRecPtr clean_upto) noexcept {
    BufferDesc *desc;
    {
        Partition partition(place, LW_EXCLUSIVE);
        const int index = partition.find();
        if (index < 0) return true;
        desc = GetBufferDescriptor(index);
        std::uint32_t state = ::LockBufHdr(desc);
        const bool dirty = (state & BM_DIRTY) != 0;
        const bool keep = (dirty && dirty_upto == InvalidXLogRecPtr) ||
                          ((state & BM_VALID) != 0 && page_lsn(index) > (dirty ? dirty_upto : clean_upto));
        if (BUF_STATE_GET_REFCOUNT(state) != 0 || keep) {
            UnlockBufHdr(desc, state);
            return false;
        }
        CLEAR_BUFFERTAG(desc->tag);
        state &= ~(BUF_FLAG_MASK | BUF_USAGECOUNT_MASK);
        UnlockBufHdr(desc, state);
        partition.remove();
    }
    ::StrategyFreeBuffer(desc);
    return true;
}

void evict_core_copies(const RelFile &file) noexcept {
    for (int i = 0; i < NBuffers; ++i) {
        BufferDesc *desc = GetBufferDescriptor(i);
        if ((pg_atomic_read_u32(&desc->state) & BM_TAG_VALID) == 0) continue;
        const BufferTag tag = desc->tag;
        if (!is_same_file(tag.rnode, file)) continue;
        if (tag.forkNum != MAIN_FORKNUM && tag.forkNum != FSM_FORKNUM) continue;
        evict_core_copy({tag.rnode, tag.forkNum, tag.blockNum}, InvalidXLogRecPtr);
    }
}

namespace {
// PostgreSQL can drop all local buffers of a fork, and no single one.
bool may_drop_local(const RelFile &file, ForkNumber fork) noexcept {
    for (int i = 0; i < NLocBuffer; ++i) {
        BufferDesc *desc = GetLocalBufferDescriptor(i);
        const std::uint32_t state = pg_atomic_read_u32(&desc->state);
        if ((state & BM_TAG_VALID) == 0 || !is_same_file(desc->tag.rnode, file) || desc->tag.forkNum != fork)
            continue;
        if (LocalRefCount[i] != 0 || (state & BM_DIRTY) != 0) return false;
    }
    return true;
}
}  // namespace

// The visibility map's are no copies.
void evict_local_core_copies(const RelFile &file) noexcept {
    for (const ForkNumber fork : {MAIN_FORKNUM, FSM_FORKNUM})
        if (may_drop_local(file, fork)) ::DropRelFileNodeLocalBuffers(file, fork, 0);
}

void flush_core_copy(const CorePlace &place, Buffer buffer) {
    if (locked_by_me(buffer)) return;
    const PinOwner owner;
    if (!pin(place, buffer)) return;
    ::LockBuffer(buffer, BUFFER_LOCK_SHARE);
    ::FlushOneBuffer(buffer);
    ::UnlockReleaseBuffer(buffer);
}

void wait_for_core_pins(const CorePlace &place) {
    const PinOwner owner;
    const CoreCopy copy = look_at_core_copy(place);
    if (!copy.present) return;
    if (pin(place, copy.buffer)) {
        ::LockBufferForCleanup(copy.buffer);
        ::UnlockReleaseBuffer(copy.buffer);
    } else {
        nap_while_in_io(place);
    }
}

bool copy_core_page(const CorePlace &place, Buffer buffer, char *out) {
    const PinOwner owner;
    if (!pin(place, buffer)) return false;
    ::LockBuffer(buffer, BUFFER_LOCK_SHARE);
    std::memcpy(out, BufferGetPage(buffer), BLCKSZ);
    ::UnlockReleaseBuffer(buffer);
    return true;
}

int core_buffer_count() noexcept {
    return NBuffers;
}

bool is_suspect_core_page(int index, XLogRecPtr since, CorePlace *place) noexcept {
    constexpr std::uint32_t kWanted = BM_TAG_VALID | BM_VALID;
    BufferDesc *desc = GetBufferDescriptor(index);
    const std::uint32_t state = pg_atomic_read_u32(&desc->state);
    if ((state & kWanted) != kWanted) return false;
    const BufferTag tag = desc->tag;
    if (tag.forkNum != MAIN_FORKNUM && tag.forkNum != FSM_FORKNUM) return false;
    if ((state & BM_DIRTY) == 0 && page_lsn(index) <= since) return false;
    *place = {tag.rnode, tag.forkNum, tag.blockNum};
    return true;
}

void release_core_buffers() noexcept {
    ::AbortBufferIO();
    ::UnlockBuffers();
    if (own_owner == nullptr) return;
    if (CurrentResourceOwner == own_owner) CurrentResourceOwner = nullptr;
    ::ResourceOwnerRelease(own_owner, RESOURCE_RELEASE_BEFORE_LOCKS, false, false);
}

}  // namespace glassheap::pg
