// report/report_fsm.cpp — the free space map as a tree, and how the free space is distributed.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "fsm/free_space_map.hpp"
#include "introspect/fsm_tree.hpp"
#include "pg/pg_fsm_internals.hpp"
#include "report/report.hpp"

namespace glassheap::report {

namespace {

// As wide as a telephone: nothing has to be scrolled sideways.
constexpr int kLevelsDrawn = 4;
constexpr int kTreeWidth = 360;
constexpr int kLevelHeight = 52;
constexpr int kBins = 8;
constexpr int kBinWidth = 45;

void copy_fsm_page(Relation rel, BlockNo block, char *copy) {
    const buffer::PinnedPage page =
        buffer::read_page(rel, FSM_FORKNUM, block, nullptr, buffer::ReadMode::zero_on_error);
    const buffer::ShareLatch latch(page);
    std::memcpy(copy, page.data(), BLCKSZ);
}

// Is `node` on the way from the root to the leaf?
bool on_path(std::uint32_t node, std::uint32_t leaf) {
    for (std::uint32_t at = leaf;; at = (at - 1) / 2) {
        if (at == node) return true;
        if (at == 0) return false;
    }
}

struct Spot {
    int x;
    int y;
};
Spot spot_of(std::uint32_t node) {
    int level = 0;
    std::uint32_t first = 0;
    while (2 * first + 1 <= node) {
        first = 2 * first + 1;
        ++level;
    }
    const int width = kTreeWidth >> level;
    return {static_cast<int>(node - first) * width + width / 2, level * kLevelHeight + 24};
}

void draw_tree(Html *html, const std::uint8_t *nodes, std::uint32_t leaf) {
    constexpr std::uint32_t kNodesDrawn = (1U << kLevelsDrawn) - 1;
    html->format(
        "<svg class=\"drawing\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Upper %d levels of the tree "
        "in a free space map page\">",
        kTreeWidth, kLevelsDrawn * kLevelHeight, kLevelsDrawn);
    for (std::uint32_t node = 1; node < kNodesDrawn; ++node) {
        const Spot child = spot_of(node);
        const Spot parent = spot_of((node - 1) / 2);
        html->format("<path class=\"edge%s\" d=\"M%d %dL%d %d\"/>", on_path(node, leaf) ? " path" : "",
                     parent.x, parent.y, child.x, child.y);
    }
    for (std::uint32_t node = 0; node < kNodesDrawn; ++node) {
        const Spot at = spot_of(node);
        html->format(
            "<g><title>node %u: category %u, up to %zu bytes</title><circle class=\"node%s\" cx=\"%d\" "
            "cy=\"%d\" r=\"%d\"/><text text-anchor=\"middle\" x=\"%d\" y=\"%d\" "
            "font-size=\"8\">%u</text></g>",
            node, unsigned{nodes[node]}, static_cast<std::size_t>(fsm::category_to_avail(nodes[node])),
            on_path(node, leaf) ? " path" : "", at.x, at.y, node < 15 ? 14 : 10, at.x, at.y + 4,
            unsigned{nodes[node]});
    }
    html->raw("</svg>\n");
}

void list_map_pages(Report *report, BlockNo fsm_blocks, char *copy) {
    constexpr BlockNo kMostListed = 12;
    Html *html = &report->html;
    html->raw(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Pages of the map\"><table><thead>"
        "<tr><th scope=\"col\">Map page</th><th scope=\"col\">Level</th><th scope=\"col\">Covers from "
        "page</th>"
        "<th scope=\"col\" class=\"n\">Most bytes free below it</th></tr></thead><tbody>\n");
    for (BlockNo block = 0; block < std::min(fsm_blocks, kMostListed); ++block) {
        copy_fsm_page(report->rel, block, copy);
        const FsmAddress address = fsm_address_of(block);
        const char *what = address.level == 0 ? "bottom" : address.level == 1 ? "middle" : "root";
        html->format("<tr><td>%u</td><td>%d (%s)</td><td>" UINT64_FORMAT
                     "</td><td class=\"n\">%zu</td></tr>\n",
                     block, address.level, what, fsm_covers_from(address, 0),
                     static_cast<std::size_t>(fsm::category_to_avail(pg::fsm_nodes(copy)[0])));
    }
    html->raw("</tbody></table></div>\n");
    if (fsm_blocks > kMostListed)
        html->format("<p>... and %u more map pages.</p>\n", fsm_blocks - kMostListed);
}

void draw_distribution(Report *report) {
    std::uint64_t bins[kBins] = {};
    for (BlockNo block = 0; block < report->cells.blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        bins[std::min<Size>(fsm::recorded(report->rel, block) * kBins / BLCKSZ, kBins - 1)]++;
    }
    const std::uint64_t most = std::max<std::uint64_t>(*std::max_element(bins, bins + kBins), 1);
    report->html.raw(
        "<h3>Pages by free bytes</h3><svg class=\"drawing\" viewBox=\"0 0 360 150\" role=\"img\" "
        "aria-label=\"Number of pages by free bytes\">");
    for (int bin = 0; bin < kBins; ++bin) {
        const auto height = static_cast<int>(bins[bin] * 100 / most);
        report->html.format(
            "<g><title>%d to %d bytes free: " UINT64_FORMAT
            " pages</title><rect class=\"f1\" x=\"%d\" y=\"%d\" width=\"40\" height=\"%d\"/>"
            "<text x=\"%d\" y=\"130\">%d</text><text x=\"%d\" y=\"%d\">" UINT64_FORMAT "</text></g>",
            bin * BLCKSZ / kBins, (bin + 1) * BLCKSZ / kBins - 1, bins[bin], bin * kBinWidth, 115 - height,
            height, bin * kBinWidth, bin * BLCKSZ / kBins, bin * kBinWidth, 110 - height, bins[bin]);
    }
    report->html.raw("</svg>\n");
}

}  // namespace

void report_fsm(Report *report) {
    Html *html = &report->html;
    html->raw("<section id=\"fsm\"><h2>Free space map</h2>\n");
    const bool exists = ::smgrexists(::RelationGetSmgr(report->rel), FSM_FORKNUM);
    const BlockNo fsm_blocks = exists ? ::RelationGetNumberOfBlocksInFork(report->rel, FSM_FORKNUM) : 0;
    const BlockNo block = report->drawn == kInvalidBlock ? 0 : report->drawn;
    const FsmAddress bottom = {0, block / kFsmSlots};
    if (fsm_blocks <= fsm_block_of(bottom)) {
        html->raw(
            "<p>There is no map yet: a small table has none until VACUUM or its growth makes "
            "one.</p></section>\n");
        return;
    }
    auto *copy = static_cast<char *>(::palloc(BLCKSZ));
    html->format(
        "<p>Each map page holds a binary tree in which every node is the greater of its children; the "
        "leaves of a bottom page stand for %u table pages, those of the pages above for whole map pages. A "
        "number is free space in steps of 32 bytes. Drawn: the top of map page %u, and thick the way to "
        "table page %u.</p>\n",
        kFsmSlots, fsm_block_of(bottom), block);
    copy_fsm_page(report->rel, fsm_block_of(bottom), copy);
    draw_tree(html, pg::fsm_nodes(copy), kFsmInnerNodes + block % kFsmSlots);
    list_map_pages(report, fsm_blocks, copy);
    draw_distribution(report);
    html->raw("</section>\n");
}

}  // namespace glassheap::report
