// page/page_edit.cpp — the changes of a heap page, bit for bit what PostgreSQL's heap would leave behind.
//
// Why:    the same slot numbers and tuple offsets as heap make ctids equal, keep adopted and released
//         tables interchangeable, and let redo repeat exactly what the foreground did.
// Invariants: page.E1, page.E2 of the header.
//         page.E3 bytes between a tuple's end and the next aligned position are zero after put_tuple, so that
//            a replayed page equals the original also there.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "page/page_edit.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/containers.hpp"
#include "base/xid_order.hpp"

namespace glassheap::page {

namespace {

constexpr LinePointer kUnusedLine = LinePointer::make(0, LineState::unused, 0);
constexpr LinePointer kDeadLine = LinePointer::make(0, LineState::dead, 0);

void set_free_lines_hint(PageHeadBytes &head, bool any) noexcept {
    head.flags =
        static_cast<std::uint16_t>(any ? (head.flags | kHasFreeLines) : (head.flags & ~kHasFreeLines));
}

void cut_lines(PageHeadBytes &head, int count) noexcept {
    head.lower = static_cast<std::uint16_t>(head.lower - count * static_cast<int>(kLinePointerSize));
}

// One stored tuple as defragment sees it.
struct Piece {
    SlotNo slot;
    std::uint16_t offset;
    std::uint16_t length;  // aligned
    std::uint16_t end() const noexcept { return static_cast<std::uint16_t>(offset + length); }
};

// What a walk over the line pointers finds.
struct Inventory {
    FixedVector<Piece, kMaxTuplesPerPage> pieces;
    int unused = 0;          // all unused line pointers
    SlotNo last_used = 0;    // highest line pointer in use
    std::size_t bytes = 0;   // aligned length of all pieces
    bool descending = true;  // pieces are stored back to front, as fresh inserts leave them
};

void take_inventory(PageEdit page, Inventory *found) noexcept {
    const SlotNo last = page.max_slot();
    std::uint16_t below = page.head().special;
    GH_ASSERT(last <= kMaxTuplesPerPage);
    for (SlotNo slot = 1; slot <= last; ++slot) {
        const LinePointer lp = page.line(slot);
        if (!lp.is_used()) {
            ++found->unused;
            page.set_line(slot, kUnusedLine);
            continue;
        }
        found->last_used = slot;
        if (!lp.has_storage()) continue;
        const auto length = static_cast<std::uint16_t>(align_up(lp.length()));
        GH_ASSERT(lp.offset() >= page.head().upper && lp.offset() + length <= page.head().special);
        if (lp.offset() >= below) found->descending = false;
        below = std::min(below, lp.offset());
        found->pieces.push_back({slot, lp.offset(), length});
        found->bytes += length;
    }
}

// Copies pieces to the end of the page, first piece last, neighbours in one go.
//
// `from` is the page itself when the pieces are stored back to front: every run then moves up over bytes
// that earlier runs have already left.  Otherwise it is a copy of the page.
void pack(PageEdit page, const Inventory &found, const char *from) noexcept {
    std::uint16_t upper = page.head().special;
    std::uint16_t run_start = upper;
    std::uint16_t run_end = upper;
    const auto flush = [&]() noexcept {
        if (run_start != upper) std::memmove(page.bytes() + upper, from + run_start, run_end - run_start);
    };
    for (const Piece &piece : found.pieces) {
        if (piece.end() != run_start) {
            flush();
            run_end = piece.end();
        }
        run_start = piece.offset;
        upper = static_cast<std::uint16_t>(upper - piece.length);
        const LinePointer lp = page.line(piece.slot);
        page.set_line(piece.slot, LinePointer::make(upper, lp.state(), lp.length()));
    }
    flush();
    page.head().upper = upper;
}

}  // namespace

void PageEdit::init() const noexcept {
    std::memset(bytes(), 0, kPageSize);
    PageHeadBytes &h = head();
    h.lower = kHeaderSize;
    h.upper = kPageSize;
    h.special = kPageSize;
    h.pagesize_version = kPageSize | kLayoutVersion;
}

void PageEdit::hint_prunable(Xid xid) const noexcept {
    GH_ASSERT(xid >= kFirstNormalXid);
    PageHeadBytes &h = head();
    if (h.prune_xid == kInvalidXid || xid_precedes(xid, h.prune_xid)) h.prune_xid = xid;
}

SlotNo PageEdit::choose_slot() const noexcept {
    const SlotNo last = max_slot();
    if (has_free_lines()) {
        // The lowest one: only a free tail can be cut off later.
        for (SlotNo slot = 1; slot <= last; ++slot) {
            const LinePointer lp = line(slot);
            if (!lp.is_used() && !lp.has_storage()) return slot;
        }
        set_free_lines_hint(head(), false);
    }
    return static_cast<SlotNo>(last + 1);
}

bool PageEdit::put_tuple(SlotNo slot, const char *tuple_data, std::size_t length) const noexcept {
    PageHeadBytes &h = head();
    GH_ASSERT(h.lower >= kHeaderSize && h.lower <= h.upper && h.upper <= h.special && h.special <= kPageSize);
    const SlotNo last = max_slot();
    if (slot == kInvalidSlot || slot > last + 1 || slot > kMaxTuplesPerPage) return false;
    if (slot <= last && (line(slot).is_used() || line(slot).has_storage())) return false;

    const std::size_t lower = slot > last ? h.lower + kLinePointerSize : h.lower;
    const std::size_t stored = align_up(length);
    if (lower + stored > h.upper) return false;

    const std::size_t at = h.upper - stored;
    std::memcpy(bytes() + at, tuple_data, length);
    std::memset(bytes() + at + length, 0, stored - length);
    h.lower = static_cast<std::uint16_t>(lower);
    h.upper = static_cast<std::uint16_t>(at);
    set_line(slot, LinePointer::make(static_cast<std::uint16_t>(at), LineState::normal,
                                     static_cast<std::uint16_t>(length)));
    return true;
}

void PageEdit::mark_xmax(SlotNo slot, const XmaxMark &mark) const noexcept {
    GH_ASSERT(line(slot).is_normal());
    GH_ASSERT((mark.infomask_bits & ~kXmaxBits) == 0 && (mark.infomask2_bits & ~kKeysUpdated) == 0);
    TupleHead &t = tuple(slot);
    t.infomask = static_cast<std::uint16_t>((t.infomask & ~(kXmaxBits | kMoved)) | mark.infomask_bits);
    t.infomask2 = static_cast<std::uint16_t>((t.infomask2 & ~kKeysUpdated) | mark.infomask2_bits);
    t.xmax = mark.xmax;
    if (!mark.set_cid) return;
    t.cid = mark.cid;
    t.infomask =
        static_cast<std::uint16_t>(mark.is_combo ? (t.infomask | kComboCid) : (t.infomask & ~kComboCid));
}

void PageEdit::set_hot_updated(SlotNo slot, bool on) const noexcept {
    TupleHead &t = tuple(slot);
    t.infomask2 = static_cast<std::uint16_t>(on ? (t.infomask2 | kHotUpdated) : (t.infomask2 & ~kHotUpdated));
}

void PageEdit::confirm_speculative(SlotNo slot, BlockNo self) const noexcept {
    GH_ASSERT(line(slot).is_normal());
    set_ctid(slot, RowAddress::make(self, slot));
}

void PageEdit::abort_speculative(SlotNo slot, BlockNo self) const noexcept {
    GH_ASSERT(line(slot).is_normal());
    TupleHead &t = tuple(slot);
    t.infomask = static_cast<std::uint16_t>(t.infomask & ~(kXmaxBits | kMoved));
    t.infomask2 = static_cast<std::uint16_t>(t.infomask2 & ~kKeysUpdated);
    t.xmin = kInvalidXid;
    t.ctid = RowAddress::make(self, slot);
}

void PageEdit::apply_prune(std::span<const Redirect> redirected, std::span<const SlotNo> now_dead,
                           std::span<const SlotNo> now_unused) const noexcept {
    bool has_pruned = !redirected.empty() || !now_dead.empty();
    for (const Redirect &r : redirected) {
        GH_ASSERT(line(r.from).is_used() && r.to != r.from && line(r.to).is_normal());
        set_line(r.from, LinePointer::make(r.to, LineState::redirect, 0));
    }
    for (const SlotNo slot : now_dead) {
        GH_ASSERT(line(slot).is_used());
        set_line(slot, kDeadLine);
    }
    for (const SlotNo slot : now_unused) {
        GH_ASSERT(line(slot).is_used());
        has_pruned = has_pruned || !line(slot).is_dead() || line(slot).has_storage();
        set_line(slot, kUnusedLine);
    }
    // Where only dead line pointers went, as in a second pass of vacuum, no tuple need move.
    if (has_pruned) {
        defragment();
    } else if (!now_unused.empty()) {
        truncate_lines();
    }
}

void PageEdit::apply_vacuum(std::span<const SlotNo> unused) const noexcept {
    for (const SlotNo slot : unused) {
        GH_ASSERT(line(slot).is_dead());  // one that owns storage is let in (page.C1)
        set_line(slot, kUnusedLine);
    }
    if (!unused.empty()) truncate_lines();
}

void PageEdit::apply_freeze(std::span<const FreezePlan> plans) const noexcept {
    for (const FreezePlan &plan : plans) {
        GH_ASSERT(line(plan.slot).is_normal());
        TupleHead &t = tuple(plan.slot);
        t.xmax = plan.xmax;
        // Tuples moved by a VACUUM FULL before 9.0 keep that vacuum's xid where others keep the cid.
        if ((plan.flags & kFreezeXvac) != 0) t.cid = kFrozenXid;
        if ((plan.flags & kInvalidateXvac) != 0) t.cid = kInvalidXid;
        t.infomask = plan.infomask;
        t.infomask2 = plan.infomask2;
    }
}

namespace {

void add_to_all(PageEdit page, std::uint16_t infomask_bits) noexcept {
    for (SlotNo slot = page.max_slot(); slot >= 1; --slot)
        if (page.line(slot).is_normal()) page.tuple(slot).infomask |= infomask_bits;
}

}  // namespace

void PageEdit::freeze_all() const noexcept {
    add_to_all(*this, kXminFrozen);
}

void PageEdit::hint_all_committed() const noexcept {
    add_to_all(*this, kXminCommitted);
}

void PageEdit::defragment() const noexcept {
    Inventory found;
    take_inventory(*this, &found);
    PageHeadBytes &h = head();
    GH_ASSERT(found.bytes <= static_cast<std::size_t>(h.special - h.upper));

    if (found.descending) {
        pack(*this, found, bytes());
    } else {
        alignas(kMaxAlign) char copy[kPageSize];
        std::memcpy(copy + h.upper, bytes() + h.upper, h.special - h.upper);
        pack(*this, found, copy);
    }
    // One stays, so that pruning and vacuum in one step leave what heap leaves in two.
    const int tail = max_slot() - std::max(found.last_used, SlotNo{1});
    if (tail > 0) cut_lines(h, tail);
    set_free_lines_hint(h, found.unused > std::max(tail, 0));
}

void PageEdit::truncate_lines() const noexcept {
    // One line pointer stays even when all are unused: a page is never left looking empty.
    SlotNo last = max_slot();
    int tail = 0;
    while (last > 1 && !line(last).is_used()) {
        --last;
        ++tail;
    }
    bool any_unused = false;
    for (SlotNo slot = last; slot >= 1 && !any_unused; --slot) any_unused = !line(slot).is_used();
    cut_lines(head(), tail);
    set_free_lines_hint(head(), any_unused);
}

}  // namespace glassheap::page
