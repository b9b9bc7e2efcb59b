// report/report_pool.cpp — who occupies the pool.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "base/containers.hpp"
#include "buffer/stats.hpp"
#include "introspect/pool_sums.hpp"
#include "report/report.hpp"

namespace glassheap::report {

namespace {

constexpr std::size_t kMostBars = 12;

struct Bars {
    Vector<ForkSums> forks;  // of this database, largest first
    int elsewhere = 0;       // pages of other databases
    int elsewhere_dirty = 0;
};

Bars forks_by_size() {
    HTAB *table = sum_by_fork();
    Bars bars;
    HASH_SEQ_STATUS walk;
    ::hash_seq_init(&walk, table);
    while (const auto *sums = static_cast<ForkSums *>(::hash_seq_search(&walk))) {
        if (pg::database_of(sums->key.file) == MyDatabaseId) {
            bars.forks.push_back(*sums);
        } else {
            bars.elsewhere += sums->frames;
            bars.elsewhere_dirty += sums->dirty;
        }
    }
    ::hash_destroy(table);
    std::sort(bars.forks.begin(), bars.forks.end(), [](const ForkSums &a, const ForkSums &b) {
        if (a.frames != b.frames) return a.frames > b.frames;
        return pg::number_of(a.key.file) < pg::number_of(b.key.file);
    });
    return bars;
}

const char *name_of(const ForkSums &sums) {
    const Oid relid = pg::relation_of_file(pg::tablespace_of(sums.key.file), pg::number_of(sums.key.file));
    const char *name = OidIsValid(relid) ? ::get_rel_name(relid) : nullptr;
    return name != nullptr ? name : "a table that is gone or not committed";
}

void bar(Html *html, const char *name, const char *fork, int frames, int dirty, int of) {
    html->raw("<tr><th scope=\"row\">");
    html->escaped(name);
    if (fork[0] != '\0') html->format(" <span class=\"s\">%s</span>", fork);
    html->format(
        "</th><td class=\"n\">%d</td><td class=\"n\">%d</td><td><svg class=\"bar\" viewBox=\"0 0 %d 10\" "
        "preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%.1f %% of the pool\"><rect class=\"p1\" "
        "width=\"%d\" height=\"10\"/><rect class=\"p0\" width=\"%d\" height=\"10\"/></svg></td></tr>\n",
        frames, dirty, of, 100.0 * frames / std::max(of, 1), frames, dirty);
}

}  // namespace

void report_pool(Report *report) {
    Html *html = &report->html;
    const Bars bars = forks_by_size();
    const int total = buffer::frame_count();
    int used = bars.elsewhere;
    int dirty = bars.elsewhere_dirty;
    for (const ForkSums &sums : bars.forks) {
        used += sums.frames;
        dirty += sums.dirty;
    }
    html->format(
        "<section id=\"pool\"><h2>The pool</h2><p><span id=\"p-used\" data-value=\"%d\">%d</span> of "
        "<span id=\"p-total\" data-value=\"%d\">%d</span> pages used, <span id=\"p-dirty\" "
        "data-value=\"%d\">%d</span> dirty (red).</p>\n",
        used, used, total, total, dirty, dirty);
    html->raw(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Pool by table\"><table><thead><tr>"
        "<th scope=\"col\">Table</th><th scope=\"col\" class=\"n\">Pages</th><th scope=\"col\" class=\"n\">"
        "Dirty</th><th scope=\"col\">Share</th></tr></thead><tbody>\n");
    int shown = 0;
    int shown_dirty = 0;
    for (const ForkSums &sums : span_of(bars.forks).first(std::min(bars.forks.size(), kMostBars))) {
        bar(html, name_of(sums), ::forkNames[sums.key.fork], sums.frames, sums.dirty, total);
        shown += sums.frames;
        shown_dirty += sums.dirty;
    }
    if (bars.forks.size() > kMostBars)
        bar(html, "all others", "", used - bars.elsewhere - shown, dirty - bars.elsewhere_dirty - shown_dirty,
            total);
    if (bars.elsewhere > 0) bar(html, "other databases", "", bars.elsewhere, bars.elsewhere_dirty, total);
    html->raw("</tbody></table></div></section>\n");
}

}  // namespace glassheap::report
