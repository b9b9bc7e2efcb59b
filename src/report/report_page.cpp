// report/report_page.cpp — one page drawn to scale: header, line pointers, free space, tuples, HOT
//         chains.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/page_facts.hpp"
#include "page/page_check.hpp"
#include "report/report.hpp"

namespace glassheap::report {

namespace {

constexpr unsigned kRowBytes = 512;  // one line of the drawing
constexpr unsigned kRowHeight = 20;
constexpr unsigned kBarHeight = 17;

using page::LinePointer;
using page::PageView;

// A run of bytes, broken into lines of the drawing.
void draw_bytes(Html *html, const char *css, int item, unsigned begin, unsigned end, const char *title) {
    while (begin < end) {
        const unsigned line = begin / kRowBytes;
        const unsigned stop = std::min(end, (line + 1) * kRowBytes);
        html->format("<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\"", css,
                     begin % kRowBytes, line * kRowHeight, stop - begin, kBarHeight);
        if (item >= 0) html->format(" data-item=\"%d\"", item);
        html->format("><title>%s</title></rect>", title);
        begin = stop;
    }
}

const char *tuple_class(const page::TupleHead &head) {
    const bool replaced = (head.infomask & page::kXmaxInvalid) == 0 &&
                          !HEAP_XMAX_IS_LOCKED_ONLY(head.infomask) && head.xmax != kInvalidXid;
    if (replaced) return "t-old";
    return (head.infomask2 & page::kHeapOnly) != 0 ? "t-hot" : "t-live";
}

const char *describe_item(PageView view, SlotNo slot) {
    const LinePointer line = view.line(slot);
    switch (line.state()) {
        case page::LineState::unused:
            return ::psprintf("Item %u: unused", unsigned{slot});
        case page::LineState::dead:
            return ::psprintf("Item %u: dead, waits for vacuum to remove its index entries", unsigned{slot});
        case page::LineState::redirect:
            return ::psprintf("Item %u: redirect to item %u", unsigned{slot}, unsigned{line.redirect_to()});
        case page::LineState::normal:
            break;
    }
    const page::TupleHead &head = view.tuple(slot);
    return ::psprintf("Item %u: bytes %u to %u, xmin %u, xmax %u, ctid (%u,%u)%s%s%s", unsigned{slot},
                      unsigned{line.offset()}, line.offset() + line.length() - 1U, head.xmin, head.xmax,
                      head.ctid.block(), unsigned{head.ctid.slot},
                      (head.infomask2 & page::kHeapOnly) != 0 ? ", heap-only" : "",
                      (head.infomask2 & page::kHotUpdated) != 0 ? ", HOT-updated" : "",
                      (head.infomask & page::kXminFrozen) == page::kXminFrozen ? ", frozen" : "");
}

void draw_to_scale(Html *html, PageView view) {
    const page::PageHeadBytes &head = view.head();
    const SlotNo last = view.max_slot();
    html->format("<svg viewBox=\"0 0 %u %u\" role=\"img\" aria-label=\"The page's 8192 bytes, 512 a line\">",
                 kRowBytes, BLCKSZ / kRowBytes * kRowHeight);
    draw_bytes(html, "t-head", -1, 0, page::kHeaderSize, "page header, 24 bytes");
    for (SlotNo slot = 1; slot <= last; ++slot) {
        const auto at = static_cast<unsigned>(page::kHeaderSize + (slot - 1U) * page::kLinePointerSize);
        draw_bytes(html, "t-lp", slot - 1, at, at + page::kLinePointerSize, describe_item(view, slot));
    }
    draw_bytes(html, "t-free", -1, head.lower, head.upper,
               ::psprintf("free space, %d bytes", head.upper - head.lower));
    for (SlotNo slot = 1; slot <= last; ++slot) {
        const LinePointer line = view.line(slot);
        if (!line.is_normal()) continue;
        draw_bytes(html, tuple_class(view.tuple(slot)), slot - 1, line.offset(),
                   line.offset() + static_cast<unsigned>(page::align_up(line.length())),
                   describe_item(view, slot));
    }
    html->raw("</svg>\n");
}

void page_legend(Html *html) {
    static constexpr const char *kEntries[][2] = {{"t-head", "header"},
                                                  {"t-lp", "line pointers"},
                                                  {"t-free", "free space"},
                                                  {"t-live", "row version"},
                                                  {"t-hot", "heap-only row version"},
                                                  {"t-old", "deleted or replaced version"}};
    html->raw("<ul class=\"legend\">");
    for (const auto &entry : kEntries)
        html->format(
            "<li><svg viewBox=\"0 0 9 9\" aria-hidden=\"true\"><path class=\"%s\" d=\"M0 0h9v9h-9z\"/>"
            "</svg> %s</li>",
            entry[0], entry[1]);
    html->raw("</ul>\n");
}

// Where an item leads on the same page: the target of a redirect, or the next version; 0 nowhere.
SlotNo next_of(PageView view, BlockNo block, SlotNo slot) {
    const LinePointer line = view.line(slot);
    if (line.is_redirect()) return line.redirect_to() <= view.max_slot() ? line.redirect_to() : kInvalidSlot;
    if (!line.is_normal()) return kInvalidSlot;
    const page::TupleHead &head = view.tuple(slot);
    const bool hot = (head.infomask2 & page::kHotUpdated) != 0 && (head.infomask & page::kXmaxInvalid) == 0;
    if (!hot || head.ctid.block() != block || head.ctid.slot == slot || head.ctid.slot > view.max_slot())
        return kInvalidSlot;
    return head.ctid.slot;
}

// ---- chains: items in the order of their chains, line by line, so that arrows are short and nothing is off
// the edge

constexpr int kChainColumns = 11;
constexpr int kChainStep = 30;
constexpr int kChainLine = 52;
constexpr int kMostChained = 20 * kChainColumns;
constexpr std::size_t kMostLines = (page::kPageSize - page::kHeaderSize) / page::kLinePointerSize;

struct Chains {
    FixedVector<SlotNo, kMostLines> order;
    int place[kMostLines + 1] = {};  // of a slot in `order`, from 1; 0: in no chain

    int count() const noexcept { return static_cast<int>(order.size()); }
};

void add_chain(Chains *chains, PageView view, BlockNo block, SlotNo slot) {
    while (slot != kInvalidSlot && chains->place[slot] == 0) {
        chains->order.push_back(slot);
        chains->place[slot] = chains->count();
        slot = next_of(view, block, slot);
    }
}

// Those nobody points to begin a chain; what is left then goes round in a circle, on a damaged page.
Chains find_chains(PageView view, BlockNo block) {
    Chains chains;
    bool pointed_to[kMostLines + 1] = {};
    const SlotNo last = view.max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) pointed_to[next_of(view, block, slot)] = true;
    for (const bool starts : {true, false})
        for (SlotNo slot = 1; slot <= last; ++slot)
            if (next_of(view, block, slot) != kInvalidSlot && pointed_to[slot] != starts)
                add_chain(&chains, view, block, slot);
    return chains;
}

struct Spot {
    int x;
    int y;
};
Spot spot_of(int place) noexcept {
    return {(place - 1) % kChainColumns * kChainStep + kChainStep / 2,
            (place - 1) / kChainColumns * kChainLine + 26};
}

void draw_arrow(Html *html, const Chains &chains, PageView view, SlotNo slot, SlotNo next) {
    const Spot from = spot_of(chains.place[slot]);
    const Spot to = spot_of(chains.place[next]);
    const char *css = view.line(slot).is_redirect() ? " redirect" : "";
    if (from.y == to.y && to.x > from.x)
        html->format("<path class=\"arrow%s\" marker-end=\"url(#tip)\" d=\"M%d %dQ%d %d %d %d\">", css,
                     from.x, from.y - 8, (from.x + to.x) / 2, from.y - 26, to.x - 1, to.y - 9);
    else  // on the next line
        html->format("<path class=\"arrow%s\" marker-end=\"url(#tip)\" d=\"M%d %dL%d %dL%d %d\">", css,
                     from.x, from.y + 8, from.x, from.y + 20, to.x, to.y - 9);
    html->format("<title>%u to %u</title></path>", unsigned{slot}, unsigned{next});
}

void draw_chained_item(Html *html, const Chains &chains, PageView view, SlotNo slot) {
    const LinePointer line = view.line(slot);
    const char *css = line.is_redirect() ? "t-lp"
                      : line.is_normal() ? tuple_class(view.tuple(slot))
                                         : "t-old";
    const Spot at = spot_of(chains.place[slot]);
    html->format(
        "<g><title>%s</title><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"16\" height=\"16\"/>"
        "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\">%u</text></g>",
        describe_item(view, slot), css, at.x - 8, at.y - 8, at.x, at.y + 19, unsigned{slot});
}

void draw_chains(Html *html, PageView view, BlockNo block) {
    const Chains chains = find_chains(view, block);
    html->raw("<h3>HOT chains</h3>\n");
    if (chains.count() == 0) {
        html->raw(
            "<p>This page has none: no row was updated in place since it was last pruned to single "
            "versions.</p>\n");
        return;
    }
    const int drawn = std::min(chains.count(), kMostChained);
    html->format(
        "<svg class=\"drawing\" id=\"chains\" viewBox=\"0 0 %d %d\" role=\"img\" "
        "aria-label=\"HOT chains as arrows\"><defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"6\" "
        "refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path class=\"t-hot\" "
        "d=\"M0 0L8 4L0 8z\"/></marker></defs>",
        kChainColumns * kChainStep, (drawn + kChainColumns - 1) / kChainColumns * kChainLine + 4);
    for (int i = 0; i < drawn; ++i) {
        const SlotNo next = next_of(view, block, chains.order[i]);
        if (next != kInvalidSlot && chains.place[next] <= drawn)
            draw_arrow(html, chains, view, chains.order[i], next);
    }
    for (int i = 0; i < drawn; ++i) draw_chained_item(html, chains, view, chains.order[i]);
    html->raw("</svg>");
    if (drawn < chains.count()) html->format("<p>... and %d more items.</p>", chains.count() - drawn);
    html->raw("<p>Dashed: a redirect left by pruning. Solid: from one version to the next.</p>\n");
}

void page_data(Html *html, PageView view) {
    html->raw("<script type=\"application/json\" id=\"page-data\">[");
    const SlotNo last = view.max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot)
        html->format("%s\"%s\"", slot == 1 ? "" : ",", describe_item(view, slot));
    html->raw("]</script>\n");
}

void page_numbers(Html *html, const PageFacts &facts) {
    html->format(
        "<p><span id=\"d-normal\" data-value=\"%u\">%u</span> row versions (%u of them heap-only), "
        "<span id=\"d-redirected\" data-value=\"%u\">%u</span> redirects, <span id=\"d-dead\" "
        "data-value=\"%u\">%u</span> dead and <span id=\"d-unused\" data-value=\"%u\">%u</span> unused line "
        "pointers, <span id=\"d-free\" data-value=\"%u\">%u</span> bytes free.</p>\n",
        unsigned{facts.normal}, unsigned{facts.normal}, unsigned{facts.heap_only}, unsigned{facts.redirected},
        unsigned{facts.redirected}, unsigned{facts.dead}, unsigned{facts.dead}, unsigned{facts.unused},
        unsigned{facts.unused}, unsigned{facts.free_bytes}, unsigned{facts.free_bytes});
}

}  // namespace

// The page with most to see among the first ones: chains first, then rows.
BlockNo choose_page_to_draw(const Report &report) {
    constexpr BlockNo kMostLookedAt = 256;
    if (report.cells.blocks == 0) return kInvalidBlock;
    auto *scratch = static_cast<char *>(::palloc(BLCKSZ));
    BlockNo best = 0;
    int best_score = -1;
    for (BlockNo block = 0; block < std::min(report.cells.blocks, kMostLookedAt); ++block) {
        CHECK_FOR_INTERRUPTS();
        const PageFacts facts = page_facts(report.rel, block, scratch);
        const int score = (facts.heap_only + facts.redirected) * 300 + facts.normal;
        if (score > best_score) {
            best_score = score;
            best = block;
        }
    }
    ::pfree(scratch);
    return best;
}

void report_page(Report *report) {
    Html *html = &report->html;
    html->raw("<section id=\"page\"><h2>One page, to scale</h2>\n");
    if (report->drawn == kInvalidBlock) {
        html->raw("<p>The table has no pages.</p></section>\n");
        return;
    }
    auto *copy = static_cast<char *>(::palloc(BLCKSZ));
    const PageFacts facts = page_facts(report->rel, report->drawn, copy);
    if (!facts.readable || facts.is_new) {
        html->format("<p>Page %u %s.</p></section>\n", report->drawn,
                     facts.is_new ? "was never used" : "is damaged: see glassheap_verify()");
        return;
    }
    const PageView view(copy);
    html->format(
        "<p>Page <span id=\"d-block\" data-value=\"%u\">%u</span>, 512 bytes a line. Point at an item, or "
        "focus the picture and use the arrow keys.</p>\n",
        report->drawn, report->drawn);
    page_numbers(html, facts);
    html->raw(
        "<div class=\"picture\" id=\"page-picture\" tabindex=\"0\" role=\"application\" aria-label=\"Items "
        "of "
        "the page, arrow keys move\" aria-describedby=\"page-text\">\n");
    draw_to_scale(html, view);
    html->raw("</div>\n");
    page_legend(html);
    html->raw("<output id=\"page-text\" aria-live=\"polite\">No item chosen.</output>\n");
    draw_chains(html, view, report->drawn);
    page_data(html, view);
    html->raw("</section>\n");
}

}  // namespace glassheap::report
