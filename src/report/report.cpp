// report/report.cpp — glassheap_report: the page around the pictures, and the numbers.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/stats.hpp"
#include "introspect/page_facts.hpp"
#include "pg/pg_usage.hpp"
#include "report/report.hpp"

namespace glassheap::report {

void Html::format(const char *pattern, ...) {
    for (;;) {
        va_list arguments;
        va_start(arguments, pattern);
        const int needed = ::appendStringInfoVA(&out_, pattern, arguments);
        va_end(arguments);
        if (needed == 0) return;
        ::enlargeStringInfo(&out_, needed);
    }
}

void Html::escaped(const char *text) {
    for (; *text != '\0'; ++text) {
        switch (*text) {
            case '&':
                raw("&amp;");
                break;
            case '<':
                raw("&lt;");
                break;
            case '>':
                raw("&gt;");
                break;
            case '"':
                raw("&quot;");
                break;
            case '\'':
                raw("&#39;");
                break;
            default:
                appendStringInfoCharMacro(&out_, *text);
        }
    }
}

void Html::grouped(std::uint64_t value) {
    if (value < 1000) {
        format(UINT64_FORMAT, value);
        return;
    }
    grouped(value / 1000);
    format(",%03u", static_cast<unsigned>(value % 1000));
}

void Html::bytes(std::uint64_t value) {
    grouped(value);
    if (value < std::uint64_t{10} * 1024) return;
    const Datum pretty = DirectFunctionCall1(pg_size_pretty, Int64GetDatum(static_cast<int64>(value)));
    format(" (%s)", ::text_to_cstring(DatumGetTextPP(pretty)));
}

namespace {

constexpr int kMapCells = 2048;

enum class Unit : std::uint8_t { things, bytes };

void number(Html *html, const char *id, const char *name, std::uint64_t value, const char *source,
            Unit unit = Unit::things) {
    html->format("<tr><th scope=\"row\">%s</th><td class=\"n\" id=\"n-%s\" data-value=\"" UINT64_FORMAT "\">",
                 name, id, value);
    unit == Unit::bytes ? html->bytes(value) : html->grouped(value);
    html->format("</td><td class=\"s\"><code>%s</code></td></tr>\n", source);
}

BlockNo fork_blocks(Relation rel, ForkNumber fork) {
    if (!::smgrexists(::RelationGetSmgr(rel), fork)) return 0;
    return ::RelationGetNumberOfBlocksInFork(rel, fork);
}

void head(Report *report) {
    Html *html = &report->html;
    const char *schema = ::get_namespace_name(RelationGetNamespace(report->rel));
    html->raw(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    html->escaped(RelationGetRelationName(report->rel));
    html->raw(" - glassheap</title><style>");
    html->raw(kReportStyle);
    html->raw(
        "</style></head><body>\n<a class=\"skip\" href=\"#numbers\">Skip to the numbers</a>\n<header><h1>");
    html->escaped(schema != nullptr ? schema : "");
    html->raw(".");
    html->escaped(RelationGetRelationName(report->rel));
    html->raw("</h1><p>A glassheap table of database <b>");
    html->escaped(::get_database_name(MyDatabaseId));
    html->format("</b>, PostgreSQL %s, as of <time>%s</time>.</p>\n", PG_VERSION,
                 ::timestamptz_to_str(::GetCurrentTimestamp()));
    html->raw(
        "<nav aria-label=\"Sections\"><a href=\"#numbers\">Numbers</a> <a href=\"#map\">Map</a> "
        "<a href=\"#fsm\">Free space</a> <a href=\"#page\">One page</a> <a href=\"#pool\">Pool</a></nav>"
        "</header>\n<main>\n");
}

void activity_numbers(Report *report) {
    Html *html = &report->html;
    Relation rel = report->rel;
    buffer::RelationIo io = {};
    (void)buffer::read_relation_io(pg::file_of(rel), &io);
    const PgStat_StatTabEntry *stats = ::pgstat_fetch_stat_tabentry(RelationGetRelid(rel));
    const PgStat_StatTabEntry none = {};
    if (stats == nullptr) stats = &none;
    const auto count = [](PgStat_Counter value) {
        return static_cast<std::uint64_t>(std::max<PgStat_Counter>(value, 0));
    };
    number(html, "hits", "Page requests answered by the pool", count(stats->blocks_hit),
           "glassheap_stat_tables.hits");
    number(html, "reads", "... read from disk", count(stats->blocks_fetched - stats->blocks_hit),
           "glassheap_stat_tables.reads");
    number(html, "writes", "Pages written", io.writes, "glassheap_stat_tables.writes");
    number(html, "evictions", "Pages evicted", io.evictions, "glassheap_stat_tables.evictions");
    number(html, "extensions", "Pages added", io.extends, "glassheap_stat_tables.extensions");
    number(html, "live", "Live rows, estimated", count(pg::live_rows(*stats)),
           "glassheap_stat_tables.n_live_tup");
    number(html, "dead", "Dead rows, estimated", count(pg::dead_rows(*stats)),
           "glassheap_stat_tables.n_dead_tup");
}

}  // namespace

void report_numbers(Report *report) {
    Html *html = &report->html;
    Relation rel = report->rel;
    const PageCell total = total_of(report->cells);
    html->raw(
        "<section id=\"numbers\"><h2>Numbers</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Numbers\"><table><thead><tr><th scope=\"col\">What</th><th scope=\"col\">Value</th>"
        "<th scope=\"col\">Where it comes from</th></tr></thead><tbody>\n");
    number(html, "pages", "Pages", report->cells.blocks, "pg_relation_size() / 8192");
    number(html, "bytes", "Bytes", static_cast<std::uint64_t>(report->cells.blocks) * BLCKSZ,
           "pg_relation_size()", Unit::bytes);
    number(html, "all-visible", "All-visible pages", total.visible, "glassheap_visibility_map_summary()");
    number(html, "all-frozen", "All-frozen pages", total.frozen, "glassheap_visibility_map_summary()");
    number(html, "free", "Free bytes by the map", total.free_bytes, "glassheap_freespace()", Unit::bytes);
    number(html, "cached", "Pages in the pool", total.cached, "glassheap_buffercache");
    number(html, "dirty", "... of them dirty", total.dirty, "glassheap_buffercache");
    number(html, "fsm-blocks", "Pages of the free space map", fork_blocks(rel, FSM_FORKNUM),
           "glassheap_files()");
    number(html, "vm-blocks", "Pages of the visibility map", fork_blocks(rel, VISIBILITYMAP_FORKNUM),
           "glassheap_files()");
    activity_numbers(report);
    html->raw("</tbody></table></div></section>\n");
}

extern "C" {

// glassheap_report(rel regclass, blkno bigint): not STRICT, blkno NULL lets us choose the page to draw.
PG_FUNCTION_INFO_V1(glassheap_report);
PGDLLEXPORT Datum glassheap_report(PG_FUNCTION_ARGS) {
    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("relation cannot be null")));
    auto *report = new (::palloc(sizeof(Report)))
        Report{.html = {}, .rel = open_table(PG_GETARG_OID(0)), .cells = {}, .drawn = kInvalidBlock};
    if (!PG_ARGISNULL(1)) report->drawn = existing_block(report->rel, MAIN_FORKNUM, PG_GETARG_INT64(1));
    report->cells = collect_cells(report->rel, kMapCells);
    if (report->drawn == kInvalidBlock) report->drawn = choose_page_to_draw(*report);
    head(report);
    report_numbers(report);
    report_map(report);
    report_fsm(report);
    report_page(report);
    report_pool(report);
    report->html.raw(
        "</main>\n<footer><p>Made by glassheap_report(). Nothing here was fetched from anywhere, "
        "and nothing is sent.</p></footer>\n<script>");
    report->html.raw(kReportScript);
    report->html.raw("</script></body></html>\n");
    close_table(report->rel);
    PG_RETURN_TEXT_P(report->html.result());
}

}  // extern "C"

}  // namespace glassheap::report
