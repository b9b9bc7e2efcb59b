// vm/visibility_map.cpp — our hand on the visibility map, which lives in PostgreSQL's shared_buffers.
//
// Why:    pinning and reading are core's own functions; setting is not, because core's would log a record
//         that replays the heap page through shared_buffers (POOL.md 4.2).
// Locking: VM buffers after the heap pages' latches, in block order.
// Errors: pin, status and redo may longjmp; the rest is fit for critical sections.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "vm/visibility_map.hpp"

#include "vm/vm_page.hpp"

namespace glassheap::vm {
namespace {

static_assert(kAllVisibleBit == VISIBILITYMAP_ALL_VISIBLE);
static_assert(kAllFrozenBit == VISIBILITYMAP_ALL_FROZEN);
static_assert(kBothBits == VISIBILITYMAP_VALID_BITS && kBothBits == kBlockMask);
static_assert(kBitsPerBlock == BITS_PER_HEAPBLOCK);

VmPage page_of(Buffer vmbuf) noexcept {
    return VmPage(BufferGetPage(vmbuf));
}

enum class Change : bool { clear, set };

// The reference's page covers the block; page_of().set and clear take the block modulo what a page covers.
bool ref_covers(XLogReaderState *record, std::uint8_t block_id, BlockNo heap_block) {
    BlockNumber map_block;
    ::XLogRecGetBlockTag(record, block_id, nullptr, nullptr, &map_block);
    return map_block == map_block_of(heap_block);
}

void redo_change(XLogReaderState *record, std::uint8_t block_id, BlockNo heap_block, BlockNo other_block,
                 std::uint8_t bits, Change change) {
    GH_ASSERT(ref_covers(record, block_id, heap_block));
    GH_ASSERT(other_block == kInvalidBlock ||
              (change == Change::clear && ref_covers(record, block_id, other_block)));
    Buffer vmbuf = InvalidBuffer;
    // A damaged or missing page is replaced by zeroes: clear bits are always true, only slower.
    const XLogRedoAction action =
        ::XLogReadBufferForRedoExtended(record, block_id, RBM_ZERO_ON_ERROR, false, &vmbuf);
    if (action == BLK_NEEDS_REDO) {
        Page page = BufferGetPage(vmbuf);
        if (PageIsNew(page)) ::PageInit(page, BLCKSZ, 0);
        if (change == Change::set)
            VmPage(page).set(heap_block, bits);
        else
            VmPage(page).clear(heap_block, bits);
        if (other_block != kInvalidBlock) VmPage(page).clear(other_block, bits);
        PageSetLSN(page, record->EndRecPtr);
        ::MarkBufferDirty(vmbuf);
    }
    if (BufferIsValid(vmbuf)) ::UnlockReleaseBuffer(vmbuf);
}

}  // namespace

void pin(Relation rel, BlockNo heap_block, Buffer *vmbuf) {
    ::visibilitymap_pin(rel, heap_block, vmbuf);
}

bool pin_covers(BlockNo heap_block, Buffer vmbuf) noexcept {
    return ::visibilitymap_pin_ok(heap_block, vmbuf);
}

std::uint8_t status(Relation rel, BlockNo heap_block, Buffer *vmbuf) {
    return ::visibilitymap_get_status(rel, heap_block, vmbuf);
}

bool clear_bits_locked(Buffer vmbuf, BlockNo heap_block, std::uint8_t bits) noexcept {
    GH_ASSERT(pin_covers(heap_block, vmbuf));
    // Dirty in any case: the caller's record registers the buffer and will give it its LSN.
    ::MarkBufferDirty(vmbuf);
    return page_of(vmbuf).clear(heap_block, bits);
}

bool set_bits_locked(Buffer vmbuf, BlockNo heap_block, std::uint8_t bits) noexcept {
    GH_ASSERT(pin_covers(heap_block, vmbuf));
    GH_ASSERT((bits & kAllVisibleBit) != 0 || (get_bits(vmbuf, heap_block) & kAllVisibleBit) != 0);
    ::MarkBufferDirty(vmbuf);
    return page_of(vmbuf).set(heap_block, bits);
}

std::uint8_t get_bits(Buffer vmbuf, BlockNo heap_block) noexcept {
    return page_of(vmbuf).get(heap_block);
}

VmLock::VmLock(Buffer first, Buffer second) : a_(first), b_(second) {
    if (a_ == b_) b_ = InvalidBuffer;
    if (!BufferIsValid(a_)) std::swap(a_, b_);
    if (BufferIsValid(b_) && ::BufferGetBlockNumber(b_) < ::BufferGetBlockNumber(a_)) std::swap(a_, b_);
    if (BufferIsValid(a_)) ::LockBuffer(a_, BUFFER_LOCK_EXCLUSIVE);
    if (BufferIsValid(b_)) ::LockBuffer(b_, BUFFER_LOCK_EXCLUSIVE);
}

void VmLock::unlock() {
    if (BufferIsValid(b_)) ::LockBuffer(b_, BUFFER_LOCK_UNLOCK);
    if (BufferIsValid(a_)) ::LockBuffer(a_, BUFFER_LOCK_UNLOCK);
    a_ = b_ = InvalidBuffer;
}

void redo_clear(XLogReaderState *record, std::uint8_t block_id, BlockNo heap_block, std::uint8_t bits,
                BlockNo other_block) {
    redo_change(record, block_id, heap_block, other_block, bits, Change::clear);
}

void redo_set(XLogReaderState *record, std::uint8_t block_id, BlockNo heap_block, std::uint8_t bits) {
    redo_change(record, block_id, heap_block, kInvalidBlock, bits, Change::set);
}

}  // namespace glassheap::vm
