// report/report_map.cpp — the map of all pages, coloured by free space, visibility and residency.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "report/report.hpp"

namespace glassheap::report {

namespace {

constexpr int kCellSize = 10;
constexpr int kMaxColumns = 64;

// One colour of one picture.
struct Shade {
    const char *css;
    const char *name;
    bool (*has)(const PageCell &);
};

constexpr Shade kFree[] = {
    {"f0", "full (under 2 % free)", [](const PageCell &c) { return c.free_percent() < 2; }},
    {"f1", "2 to 19 %", [](const PageCell &c) { return c.free_percent() >= 2 && c.free_percent() < 20; }},
    {"f2", "20 to 49 %", [](const PageCell &c) { return c.free_percent() >= 20 && c.free_percent() < 50; }},
    {"f3", "50 to 79 %", [](const PageCell &c) { return c.free_percent() >= 50 && c.free_percent() < 80; }},
    {"f4", "80 % or more free", [](const PageCell &c) { return c.free_percent() >= 80; }},
};
constexpr Shade kVisible[] = {
    {"v0", "all-frozen", [](const PageCell &c) { return c.frozen == c.pages; }},
    {"v1", "all-visible", [](const PageCell &c) { return c.frozen < c.pages && c.visible == c.pages; }},
    {"v2", "some pages all-visible", [](const PageCell &c) { return c.visible > 0 && c.visible < c.pages; }},
    {"v3", "not all-visible", [](const PageCell &c) { return c.visible == 0; }},
};
constexpr Shade kPool[] = {
    {"p0", "in the pool, dirty", [](const PageCell &c) { return c.dirty > 0; }},
    {"p1", "in the pool", [](const PageCell &c) { return c.dirty == 0 && c.cached == c.pages; }},
    {"p2", "some pages in the pool",
     [](const PageCell &c) { return c.dirty == 0 && c.cached > 0 && c.cached < c.pages; }},
    {"p3", "on disk only", [](const PageCell &c) { return c.cached == 0; }},
};

int columns_for(int cells) {
    int columns = 8;
    while (columns < kMaxColumns && columns * columns < 2 * cells) ++columns;
    return columns;
}

template <std::size_t N>
void draw(Report *report, const char *css, const char *label, const Shade (&shades)[N], int columns) {
    const PageCells &cells = report->cells;
    const int lines = (cells.count() + columns - 1) / columns;
    report->html.format("<svg class=\"m-%s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", css,
                        columns * kCellSize, lines * kCellSize, label);
    for (const Shade &shade : shades) {
        report->html.format("<path class=\"%s\" d=\"", shade.css);
        for (int i = 0; i < cells.count(); ++i)
            if (shade.has(cells.cells[i]))
                report->html.format("M%d %dh9v9h-9z", i % columns * kCellSize, i / columns * kCellSize);
        report->html.raw("\"/>");
    }
    report->html.raw("<rect class=\"cursor\" width=\"9\" height=\"9\" visibility=\"hidden\"/></svg>\n");
}

template <std::size_t N>
void legend(Report *report, const char *css, const Shade (&shades)[N]) {
    report->html.format("<ul class=\"legend m-%s\">", css);
    for (const Shade &shade : shades)
        report->html.format(
            "<li><svg viewBox=\"0 0 9 9\" aria-hidden=\"true\"><path class=\"%s\" "
            "d=\"M0 0h9v9h-9z\"/></svg> %s</li>",
            shade.css, shade.name);
    report->html.raw("</ul>\n");
}

void data(Report *report, int columns) {
    const PageCells &cells = report->cells;
    report->html.format(
        "<script type=\"application/json\" id=\"map-data\">{\"columns\":%d,\"drawn\":%u,\"cells\":[", columns,
        report->drawn);
    for (int i = 0; i < cells.count(); ++i) {
        const PageCell &c = cells.cells[i];
        report->html.format("%s[%u,%u," UINT64_FORMAT ",%u,%u,%u,%u]", i == 0 ? "" : ",", c.first, c.pages,
                            c.free_bytes, c.visible, c.frozen, c.cached, c.dirty);
    }
    report->html.raw("]}</script>\n");
}

}  // namespace

void report_map(Report *report) {
    Html *html = &report->html;
    html->raw("<section id=\"map\"><h2>Map of all pages</h2>\n");
    if (report->cells.count() == 0) {
        html->raw("<p>The table has no pages.</p></section>\n");
        return;
    }
    const int columns = columns_for(report->cells.count());
    html->format(
        "<p>%d cells, %u page%s each, from the first page at the top left. Move over the map, or focus "
        "it and use the arrow keys, to read a cell and how to have its page drawn.</p>\n",
        report->cells.count(), report->cells.pages_per_cell, report->cells.pages_per_cell == 1 ? "" : "s");
    html->raw(
        "<fieldset class=\"choice\"><legend>Coloured by</legend>"
        "<label><input type=\"radio\" name=\"shade\" value=\"free\" checked> free space</label> "
        "<label><input type=\"radio\" name=\"shade\" value=\"vm\"> visibility map</label> "
        "<label><input type=\"radio\" name=\"shade\" value=\"pool\"> pool</label></fieldset>\n");
    html->format(
        "<div class=\"picture maps show-free\" id=\"maps\" tabindex=\"0\" role=\"application\" "
        "aria-label=\"Map of pages, arrow keys move\" aria-describedby=\"map-text\" "
        "style=\"max-width:%drem\" data-table=\"",
        std::max(columns * 2, 24));
    html->escaped(::quote_qualified_identifier(::get_namespace_name(RelationGetNamespace(report->rel)),
                                               RelationGetRelationName(report->rel)));
    html->raw("\">\n");
    draw(report, "free", "Free space of each page", kFree, columns);
    draw(report, "vm", "Visibility map bits of each page", kVisible, columns);
    draw(report, "pool", "Pages in the pool", kPool, columns);
    html->raw("</div>\n<div id=\"legends\" class=\"show-free\">");
    legend(report, "free", kFree);
    legend(report, "vm", kVisible);
    legend(report, "pool", kPool);
    html->raw("</div><output id=\"map-text\" aria-live=\"polite\">No cell chosen.</output>\n");
    data(report, columns);
    html->raw("</section>\n");
}

}  // namespace glassheap::report
