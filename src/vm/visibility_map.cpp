// vm/visibility_map.cpp — our hand on the visibility map, which lives in PostgreSQL's shared_buffers.
//
// Why:    pinning and reading are core's own functions; setting is not, because core's would log a record
//         that replays the heap page through shared_buffers (doc/design/maps.md#visibility-map).
// Locking: VM buffers after the heap pages' latches, in block order.
// Errors: pin, status, redo and what corrects wrong bits may longjmp; the rest is fit for critical sections.
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

// Opens the VM page of one reference and makes all of the record's changes to it: its LSN is the record's
// afterwards, so whatever came later would find the page done.
template <typename Changes>
void redo_page(XLogReaderState *record, std::uint8_t ref, Changes make_changes) {
    Buffer vmbuf = InvalidBuffer;
    // A damaged or missing page is replaced by zeroes: clear bits are always true, only slower.
    const XLogRedoAction action =
        ::XLogReadBufferForRedoExtended(record, ref, RBM_ZERO_ON_ERROR, false, &vmbuf);
    if (action == BLK_NEEDS_REDO) {
        Page page = BufferGetPage(vmbuf);
        if (PageIsNew(page)) ::PageInit(page, BLCKSZ, 0);
        make_changes(VmPage(page));
        PageSetLSN(page, record->EndRecPtr);
        ::MarkBufferDirty(vmbuf);
    }
    if (BufferIsValid(vmbuf)) ::UnlockReleaseBuffer(vmbuf);
}

// An image of core's, which a standby takes over as it is.
template <typename Change>
void change_and_log(Relation rel, Buffer vmbuf, Change make_change) {
    VmLock lock(vmbuf);
    START_CRIT_SECTION();
    make_change(page_of(vmbuf));
    ::MarkBufferDirty(vmbuf);
    if (RelationNeedsWAL(rel)) ::log_newpage_buffer(vmbuf, false);
    END_CRIT_SECTION();
}

BlockNo map_block_of_ref(XLogReaderState *record, std::uint8_t ref) {
    BlockNo block;
    ::XLogRecGetBlockTag(record, ref, nullptr, nullptr, &block);
    return block;
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
    GH_ASSERT((bits & kAllVisibleBit) != 0);
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

void correct(Relation rel, Buffer vmbuf, BlockNo heap_block, std::uint8_t bits) {
    GH_ASSERT(pin_covers(heap_block, vmbuf));
    change_and_log(rel, vmbuf, [&](VmPage page) { page.clear(heap_block, bits); });
}

std::uint32_t correct_page(Relation rel, Buffer vmbuf, const VmPage &wrong) {
    std::uint32_t corrected = 0;
    change_and_log(rel, vmbuf, [&](VmPage page) { corrected = page.clear_all(wrong); });
    return corrected;
}

bool redo_clear(XLogReaderState *record, std::span<const std::uint8_t> refs,
                std::span<const BlockNo> heap_blocks, std::uint8_t bits) {
    std::size_t cleared = 0;
    for (const std::uint8_t ref : refs) {
        if (!XLogRecHasBlockRef(record, ref)) continue;
        const BlockNo map_block = map_block_of_ref(record, ref);
        const auto is_here = [map_block](BlockNo heap_block) {
            return map_block_of(heap_block) == map_block;
        };
        redo_page(record, ref, [&](VmPage page) {
            for (const BlockNo heap_block : heap_blocks)
                if (is_here(heap_block)) page.clear(heap_block, bits);
        });
        cleared += static_cast<std::size_t>(std::count_if(heap_blocks.begin(), heap_blocks.end(), is_here));
    }
    return cleared == heap_blocks.size();
}

bool redo_set(XLogReaderState *record, std::uint8_t ref, BlockNo heap_block, std::uint8_t bits) {
    if (!XLogRecHasBlockRef(record, ref) || map_block_of_ref(record, ref) != map_block_of(heap_block))
        return false;
    redo_page(record, ref, [&](VmPage page) { page.set(heap_block, bits); });
    return true;
}

}  // namespace glassheap::vm
