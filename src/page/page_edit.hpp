// page/page_edit.hpp — every change of a heap page.  Foreground and redo call the same functions (design.D6).
//
// Why:    a change that exists once cannot differ between do and redo.
// Invariants: page.E1 no function allocates, logs or fails half-way: preconditions are the caller's to check
//             (they are asserted); returns false only where stated, with nothing changed.
//         page.E2 the page LSN and checksum are never touched here, but by set_lsn.
// Locking: the caller holds the page's latch exclusively (defragment, prune: the
//         cleanup latch).
// Errors: never longjmps; all noexcept.
// WAL:    wal/records.hpp names for each record which of these redo calls.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <span>

#include "page/page_view.hpp"

namespace glassheap::page {

// A redirect pointer to be set: `from` becomes LP_REDIRECT to `to`.
struct Redirect {
    SlotNo from;
    SlotNo to;
};

// New header fields of one frozen tuple (the result of mvcc/freeze_plan).
struct FreezePlan {
    Xid xmax;
    std::uint16_t infomask2;
    std::uint16_t infomask;
    SlotNo slot;
    std::uint8_t flags;  // kFreezeXvac | kInvalidateXvac
    std::uint8_t pad;
};
inline constexpr std::uint8_t kFreezeXvac = 0x01;
inline constexpr std::uint8_t kInvalidateXvac = 0x02;

// How a deleter, updater or locker marks a tuple.
struct XmaxMark {
    Xid xmax;
    std::uint16_t infomask_bits = 0;   // subset of kXmaxBits to set, after clearing kXmaxBits and kMoved
    std::uint16_t infomask2_bits = 0;  // kKeysUpdated or 0, after clearing kKeysUpdated
    std::uint32_t cid = 0;             // cmax or combo cid (ignored when set_cid is false: a mere lock)
    bool is_combo = false;
    bool set_cid = false;
};

class PageEdit : public PageView {
public:
    explicit PageEdit(char *bytes) noexcept : PageView(bytes) {}

    char *bytes() const noexcept { return const_cast<char *>(bytes_); }
    PageHeadBytes &head() const noexcept { return *reinterpret_cast<PageHeadBytes *>(bytes()); }
    TupleHead &tuple(SlotNo slot) const noexcept {
        return *reinterpret_cast<TupleHead *>(bytes() + line(slot).offset());
    }

    // Zeroes the page and writes an empty header.
    void init() const noexcept;
    void set_lsn(Lsn lsn) const noexcept {
        head().lsn_hi = static_cast<std::uint32_t>(lsn >> 32);
        head().lsn_lo = static_cast<std::uint32_t>(lsn);
    }
    void set_line(SlotNo slot, LinePointer lp) const noexcept {
        std::memcpy(bytes() + kHeaderSize + (slot - 1U) * kLinePointerSize, &lp, sizeof lp);
    }
    void set_all_visible(bool on) const noexcept {
        PageHeadBytes &h = head();
        h.flags = static_cast<std::uint16_t>(on ? (h.flags | kAllVisible) : (h.flags & ~kAllVisible));
    }
    void set_full(bool on) const noexcept {
        PageHeadBytes &h = head();
        h.flags = static_cast<std::uint16_t>(on ? (h.flags | kPageFull) : (h.flags & ~kPageFull));
    }
    void set_prune_xid(Xid xid) const noexcept { head().prune_xid = xid; }
    // Keeps the older of the present hint and xid (modulo-2^32 order); xid must be normal.
    void hint_prunable(Xid xid) const noexcept;

    // First slot a new tuple would take: a free line pointer when the page has any, else one more.
    SlotNo choose_slot() const noexcept;
    // Puts a tuple of `length` bytes (header included) at `slot` (== choose_slot() in the foreground,
    // the logged slot in redo; may be at most max_slot()+1 and must not be in use).
    // Returns false, with nothing changed, when it does not fit.
    bool put_tuple(SlotNo slot, const char *tuple, std::size_t length) const noexcept;

    // ---- marks on one tuple (precondition: the line pointer is normal)
    void mark_xmax(SlotNo slot, const XmaxMark &mark) const noexcept;
    void set_ctid(SlotNo slot, RowAddress to) const noexcept { tuple(slot).ctid = to; }
    void set_hot_updated(SlotNo slot, bool on) const noexcept;
    // A speculative insertion is confirmed: its ctid points to itself.
    void confirm_speculative(SlotNo slot, BlockNo self) const noexcept;
    // A speculative insertion is taken back: xmin becomes invalid, so everybody sees it as dead.
    void abort_speculative(SlotNo slot, BlockNo self) const noexcept;

    // ---- many tuples at once
    // Prune: apply redirects, dead and unused line pointers, then defragment (unless only dead line pointers
    // became unused: that frees no storage).
    void apply_prune(std::span<const Redirect> redirected, std::span<const SlotNo> now_dead,
                     std::span<const SlotNo> now_unused) const noexcept;
    // Second pass of vacuum: dead line pointers become unused; trailing unused ones are cut off.
    void apply_vacuum(std::span<const SlotNo> unused) const noexcept;
    void apply_freeze(std::span<const FreezePlan> plans) const noexcept;
    // Freezes the xmin of every row, and touches nothing else.
    void freeze_all() const noexcept;
    // Hints that every inserter has committed (rows that are frozen stay so).
    void hint_all_committed() const noexcept;
    // Moves tuples together so that all free space is in one piece; cuts trailing unused line pointers off
    // (at least one stays) and sets kHasFreeLines as found, as heap does after pruning.
    void defragment() const noexcept;
    // Cuts trailing unused line pointers off (at least one stays); updates kHasFreeLines.
    void truncate_lines() const noexcept;
};

}  // namespace glassheap::page
