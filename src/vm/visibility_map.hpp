// vm/visibility_map.hpp — the all-visible and all-frozen bits of each heap page.
//
// Why:    design.D2: stock format, in shared_buffers, because the stock executor reads it there; setting and
//         clearing are ours, in the same WAL record as the heap page's change.
// Invariants: vm.V1 a bit is set only while the heap page's PD_ALL_VISIBLE is set under its exclusive latch.
//         vm.V2 whoever clears PD_ALL_VISIBLE clears the bits in the same critical section and record.
// Locking: pin before latching heap pages (it may read); lock after the heap page's latch.
//         VmLock locks at most two VM buffers, in block order.
// Errors: pin may longjmp; everything noexcept may stand in a critical section.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <span>

#include "buffer/pool.hpp"
#include "vm/vm_page.hpp"

namespace glassheap::vm {

inline constexpr std::uint8_t kAllVisibleBit = 0x01;
inline constexpr std::uint8_t kAllFrozenBit = 0x02;
inline constexpr std::uint8_t kBothBits = 0x03;

// Pins the VM page covering `heap_block` into *vmbuf (released and replaced if it is another one).
// Extends the fork as needed.
void pin(Relation rel, BlockNo heap_block, Buffer *vmbuf);
bool pin_covers(BlockNo heap_block, Buffer vmbuf) noexcept;
// Bits of a heap block; *vmbuf as in pin, but does not extend (0 for a missing map page).
std::uint8_t status(Relation rel, BlockNo heap_block, Buffer *vmbuf);

// Changes bits on a VM page that the caller has locked exclusively, inside a critical section; marks it
// dirty; returns whether anything changed.  The caller's record registers the buffer.  To set is to replace:
// the block has exactly these bits afterwards, whatever a standby's map said before.
bool clear_bits_locked(Buffer vmbuf, BlockNo heap_block, std::uint8_t bits) noexcept;
bool set_bits_locked(Buffer vmbuf, BlockNo heap_block, std::uint8_t bits) noexcept;
std::uint8_t get_bits(Buffer vmbuf, BlockNo heap_block) noexcept;

// Locks the VM pages of one or two heap blocks exclusively for the length of a change; equal buffers are
// locked once; InvalidBuffer is skipped.
class VmLock {
public:
    VmLock(Buffer first, Buffer second = InvalidBuffer);
    void unlock();
    ~VmLock() { unlock(); }
    VmLock(const VmLock &) = delete;
    VmLock &operator=(const VmLock &) = delete;

private:
    Buffer a_ = InvalidBuffer;
    Buffer b_ = InvalidBuffer;
};

// Clears bits that were found wrong under the heap page's latch (share suffices: vm.V1), and logs the whole
// map page: that of every standby becomes the same, whatever it was.  One step, or the next record of this
// map page could carry an image without bits that no record has cleared.
void correct(Relation rel, Buffer vmbuf, BlockNo heap_block, std::uint8_t bits);
// The same for a whole map page: all the bits that `wrong` has.  Who found them wrong has kept out those who
// set bits since then.  Logs also when there are none.  Returns for how many blocks something was cleared.
std::uint32_t correct_page(Relation rel, Buffer vmbuf, const VmPage &wrong);

// Redo, through PostgreSQL's buffers; a page that is newer than the record stays as it is.  One call does
// all that the record does to the map: a page is opened once for all of its heap blocks, and which of the
// references `refs` (absent ones are skipped) covers a block follows from the block numbers.
// False: the record names no VM page for one of the blocks.
[[nodiscard]] bool redo_clear(XLogReaderState *record, std::span<const std::uint8_t> refs,
                              std::span<const BlockNo> heap_blocks, std::uint8_t bits);
[[nodiscard]] bool redo_set(XLogReaderState *record, std::uint8_t ref, BlockNo heap_block, std::uint8_t bits);

}  // namespace glassheap::vm
