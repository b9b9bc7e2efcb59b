// verify/verify_page.cpp — page header, line pointers, HOT chains.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "verify/verify.hpp"

namespace glassheap::verify {

namespace {

using page::LinePointer;
using page::LineState;

const char *state_name(LineState state) {
    switch (state) {
        case LineState::unused:
            return "unused";
        case LineState::normal:
            return "normal";
        case LineState::redirect:
            return "a redirect";
        case LineState::dead:
            return "dead";
    }
    return "unknown";
}

// ---- line pointers

bool verify_normal(Verifier *v, LinePointer line) {
    const unsigned offset = line.offset();
    const unsigned length = line.length();
    const page::PageHeadBytes &head = v->view().head();
    if (offset != page::align_up(offset)) {
        report_damage(v, "line pointer to offset %u is not aligned to %zu bytes", offset, page::kMaxAlign);
        return false;
    }
    if (length < page::align_up(page::kTupleHeaderSize)) {
        report_damage(v, "line pointer has length %u, less than a tuple header of %zu bytes", length,
                      page::align_up(page::kTupleHeaderSize));
        return false;
    }
    if (offset + length > page::kPageSize) {
        report_damage(v, "line pointer to offset %u with length %u ends beyond the page of %zu bytes", offset,
                      length, page::kPageSize);
        return false;
    }
    if (offset < head.upper || offset + length > head.special) {
        report_damage(v, "line pointer to offset %u with length %u is outside the tuple area %u to %u",
                      offset, length, head.upper, head.special);
        return false;
    }
    return true;
}

void verify_redirect(Verifier *v, LinePointer line, SlotNo last) {
    const unsigned target = line.redirect_to();
    if (line.length() != 0)
        report_damage(v, "redirected line pointer has length %u instead of 0", unsigned{line.length()});
    if (target == 0) {
        report_damage(v, "line pointer redirects to item 0, which cannot exist");
    } else if (target > last) {
        report_damage(v, "line pointer redirects to item %u, but the page has only %u", target,
                      unsigned{last});
    } else if (target == v->slot) {
        report_damage(v, "line pointer redirects to itself");
    } else if (const LinePointer next = v->view().line(static_cast<SlotNo>(target)); !next.is_normal()) {
        report_damage(v, "line pointer redirects to item %u, which is %s", target, state_name(next.state()));
    }
}

// Two tuples that share bytes.  Line pointers are few: comparing neighbours in order of offset is enough.
struct Extent {
    std::uint16_t begin;
    std::uint16_t end;
    SlotNo slot;
};

void verify_overlaps(Verifier *v, SlotNo last) {
    Vector<Extent> extents;
    for (SlotNo slot = 1; slot <= last; ++slot) {
        if (!v->items[slot].valid) continue;
        const LinePointer line = v->view().line(slot);
        extents.push_back({line.offset(), static_cast<std::uint16_t>(line.offset() + line.length()), slot});
    }
    std::sort(extents.begin(), extents.end(), [](const Extent &a, const Extent &b) {
        return a.begin != b.begin ? a.begin < b.begin : a.slot < b.slot;
    });
    for (std::size_t i = 1; i < extents.size(); ++i) {
        if (extents[i].begin >= extents[i - 1].end) continue;
        v->slot = extents[i].slot;
        report_damage(v, "tuple at offset %u overlaps the tuple of item %u, which ends at %u",
                      unsigned{extents[i].begin}, unsigned{extents[i - 1].slot},
                      unsigned{extents[i - 1].end});
    }
}

// ---- HOT chains

const page::TupleHead &head_of(const Verifier *v, SlotNo slot) {
    return v->view().tuple(slot);
}
bool heap_only(const page::TupleHead &head) {
    return (head.infomask2 & page::kHeapOnly) != 0;
}
bool hot_updated(const page::TupleHead &head) {
    return (head.infomask2 & page::kHotUpdated) != 0 && (head.infomask & page::kXmaxInvalid) == 0;
}

void link(Verifier *v, SlotNo from, SlotNo to) {
    SlotNo *predecessor = &v->items[to].predecessor;
    if (*predecessor != kInvalidSlot) {
        v->slot = from;
        report_damage(v, "item points to item %u, but item %u points there too", unsigned{to},
                      unsigned{*predecessor});
        return;
    }
    *predecessor = from;
}

void link_redirect(Verifier *v, SlotNo slot, SlotNo last) {
    const SlotNo target = v->view().line(slot).redirect_to();
    if (target == 0 || target > last || target == slot || !v->items[target].valid) return;
    if (!heap_only(head_of(v, target))) {
        v->slot = slot;
        report_damage(v, "line pointer redirects to item %u, which is not a heap-only tuple",
                      unsigned{target});
        return;
    }
    link(v, slot, target);
}

// From one version to the next on the same page; only if the next was made by this version's updater is it
// really the next (the space of an aborted or pruned version may be used again).
void link_update(Verifier *v, SlotNo slot, SlotNo last) {
    const page::TupleHead &head = head_of(v, slot);
    v->slot = slot;
    const bool hot = hot_updated(head);
    if (head.ctid.block() != v->block) {
        if (hot && v->items[slot].updater != kInvalidXid)
            report_damage(v, "tuple is HOT-updated, but its next version is in block %u", head.ctid.block());
        return;
    }
    const SlotNo next = head.ctid.slot;
    if (v->items[slot].updater == kInvalidXid) return;
    if (next == slot) {
        if (hot) report_damage(v, "tuple is HOT-updated to itself");
        return;
    }
    if (next == 0 || next > last) {
        if (hot)
            report_damage(v, "tuple is HOT-updated to item %u, but the page has only %u", unsigned{next},
                          unsigned{last});
        return;
    }
    if (!v->items[next].valid || head_of(v, next).xmin != v->items[slot].updater) return;
    if (hot && !heap_only(head_of(v, next)))
        report_damage(v, "HOT update made item %u, which is not a heap-only tuple", unsigned{next});
    else if (!hot && heap_only(head_of(v, next)))
        report_damage(v, "update that was not HOT made item %u, which is a heap-only tuple", unsigned{next});
    link(v, slot, next);
}

// The versions before a heap-only tuple end at a root or a redirect.
bool in_circle(const Verifier *v, SlotNo slot, SlotNo last) noexcept {
    for (int left = last; left > 0 && slot != kInvalidSlot; --left) slot = v->items[slot].predecessor;
    return slot != kInvalidSlot;
}

// A heap-only tuple that somebody could see must be reachable, or no index leads to it.  Its inserter may
// have aborted between the looks at the two tuples, so that the version before seems to lead nowhere
// (introspect.F2).
void verify_root(Verifier *v, SlotNo slot, SlotNo last) {
    const ItemState &item = v->items[slot];
    if (in_circle(v, slot, last)) {
        v->slot = slot;
        report_damage(v, "the versions before this one follow each other in a circle");
        return;
    }
    if (item.predecessor != kInvalidSlot || !heap_only(head_of(v, slot)) || !item.xmin_known) return;
    if (item.xmin_fate == XidFate::aborted) return;
    XidFate now;
    if (item.xmin_fate != XidFate::committed && v->limits.fate(head_of(v, slot).xmin, &now) &&
        now == XidFate::aborted)
        return;
    v->slot = slot;
    report_damage(v, "heap-only tuple is not reachable: no redirect or older version points to it");
}

}  // namespace

bool verify_header(Verifier *v) {
    const page::PageHeadBytes &head = v->view().head();
    v->slot = kInvalidSlot;
    const auto lower_bound = static_cast<unsigned>(page::kHeaderSize);
    if (head.pagesize_version != (page::kPageSize | page::kLayoutVersion)) {
        report_damage(v, "page header has size and version 0x%04X instead of 0x%04zX",
                      unsigned{head.pagesize_version}, page::kPageSize | page::kLayoutVersion);
        return false;
    }
    if (head.lower < lower_bound || head.lower > head.upper || head.upper > head.special ||
        head.special > page::kPageSize) {
        report_damage(v, "page header has lower %u, upper %u, special %u: not in order within %u to %zu",
                      unsigned{head.lower}, unsigned{head.upper}, unsigned{head.special}, lower_bound,
                      page::kPageSize);
        return false;
    }
    if ((head.lower - lower_bound) % page::kLinePointerSize != 0)
        report_damage(v, "page header has lower %u: line pointers take %zu bytes each", unsigned{head.lower},
                      page::kLinePointerSize);
    if (head.special != page::kPageSize)
        report_damage(v, "page has a special area from %u on, which a table's page never has",
                      unsigned{head.special});
    const unsigned unknown =
        head.flags & ~unsigned{page::kHasFreeLines | page::kPageFull | page::kAllVisible};
    if (unknown != 0) report_damage(v, "page header has unknown flags 0x%04X", unknown);
    return true;
}

void verify_line_pointers(Verifier *v) {
    const SlotNo last = v->view().max_slot();
    std::fill(v->items, v->items + last + 1, ItemState{});
    for (SlotNo slot = 1; slot <= last; ++slot) {
        v->slot = slot;
        const LinePointer line = v->view().line(slot);
        switch (line.state()) {
            case LineState::normal:
                v->items[slot].valid = verify_normal(v, line);
                break;
            case LineState::redirect:
                verify_redirect(v, line, last);
                break;
            case LineState::unused:
                if (line.length() != 0)
                    report_damage(v, "unused line pointer has length %u instead of 0",
                                  unsigned{line.length()});
                break;
            case LineState::dead:
                break;
        }
    }
    verify_overlaps(v, last);
}

void verify_chains(Verifier *v) {
    const SlotNo last = v->view().max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        if (v->view().line(slot).is_redirect())
            link_redirect(v, slot, last);
        else if (v->items[slot].valid && v->items[slot].header_ok)
            link_update(v, slot, last);
    }
    for (SlotNo slot = 1; slot <= last; ++slot)
        if (v->items[slot].valid && v->items[slot].header_ok) verify_root(v, slot, last);
    v->slot = kInvalidSlot;
}

}  // namespace glassheap::verify
