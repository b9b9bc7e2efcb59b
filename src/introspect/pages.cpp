// introspect/pages.cpp — glassheap_pages: one row for each page of a table; glassheap_map: the same as
//         characters.
//
// Locking: as page_facts.hpp.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/page_cells.hpp"
#include "introspect/page_facts.hpp"
#include "introspect/rows.hpp"
#include "vm/visibility_map.hpp"

namespace glassheap::introspect {

namespace {

Cell xid_or_null(Xid value) {
    return value == kInvalidXid ? null_cell() : xid(value);
}

void add_page(Rows *rows, BlockNo block, const PageFacts &facts, std::uint8_t bits,
              const buffer::FrameInfo *frame) {
    const auto known = [&facts](Cell cell) { return facts.readable ? cell : null_cell(); };
    const auto cached = [frame](Cell cell) { return frame != nullptr ? cell : null_cell(); };
    rows->add({int8(block), known(int4(facts.free_bytes)), known(int4(facts.normal)), known(int4(facts.dead)),
               known(int4(facts.redirected)), known(int4(facts.unused)), known(int4(facts.heap_only)),
               boolean((bits & vm::kAllVisibleBit) != 0), boolean((bits & vm::kAllFrozenBit) != 0),
               known(boolean(facts.all_visible)), boolean(frame != nullptr),
               cached(boolean(frame != nullptr && frame->dirty)),
               cached(int4(frame != nullptr ? frame->usage : 0)),
               cached(int4(frame != nullptr ? frame->pins : 0)), known(xid_or_null(facts.newest_xid)),
               known(xid_or_null(facts.prune_xid)), known(xid_or_null(facts.summary_xid)),
               known(lsn(facts.lsn)), boolean(facts.readable)});
}

void list_pages(Relation rel, Rows *rows) {
    const FrameTable frames(rel, MAIN_FORKNUM);
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    auto *scratch = static_cast<char *>(::palloc(BLCKSZ));
    Buffer vmbuf = InvalidBuffer;
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const PageFacts facts = page_facts(rel, block, scratch);
        add_page(rows, block, facts, vm::status(rel, block, &vmbuf), frames.find(block));
    }
    if (BufferIsValid(vmbuf)) ::ReleaseBuffer(vmbuf);
}

// ---- the map in characters (ASCII: it has to pass any encoding)

char free_char(const PageCell &cell) {
    const int percent = cell.free_percent();
    if (percent < 2) return '#';
    return static_cast<char>('0' + std::min(percent / 10, 9));
}
char visible_char(const PageCell &cell) {
    if (cell.frozen == cell.pages) return 'F';
    if (cell.visible == cell.pages) return 'V';
    return cell.visible > 0 ? 'v' : '.';
}
char pool_char(const PageCell &cell) {
    if (cell.dirty > 0) return 'D';
    if (cell.cached == cell.pages) return 'C';
    return cell.cached > 0 ? 'c' : '.';
}

void add_line(Rows *rows, const char *line) {
    rows->begin_row();
    rows->add({text_cell(line)});
}

void draw_map(const PageCells &cells, int width, const char *title, char (*glyph)(const PageCell &),
              Rows *rows) {
    add_line(rows, "");
    add_line(rows, title);
    auto *line = static_cast<char *>(::palloc(static_cast<Size>(width) + 32));
    for (int first = 0; first < cells.count(); first += width) {
        int length = ::pg_sprintf(line, "%10u ", cells.cells[first].first);
        for (int i = first; i < std::min(first + width, cells.count()); ++i)
            line[length++] = glyph(cells.cells[i]);
        line[length] = '\0';
        add_line(rows, line);
    }
    ::pfree(line);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_pages);
PGDLLEXPORT Datum glassheap_pages(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    list_pages(rel, &rows);
    close_table(rel);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_map);
PGDLLEXPORT Datum glassheap_map(PG_FUNCTION_ARGS) {
    constexpr int kWidthMin = 8;
    constexpr int kWidthMax = 1000;
    constexpr int kLines = 24;
    const int width = PG_GETARG_INT32(1);
    if (width < kWidthMin || width > kWidthMax)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("width must be between %d and %d", kWidthMin, kWidthMax)));
    Relation rel = open_table(PG_GETARG_OID(0));
    Rows rows(fcinfo);
    const PageCells cells = collect_cells(rel, width * kLines);
    add_line(&rows, ::psprintf("%s: %u pages, %u a character", RelationGetRelationName(rel), cells.blocks,
                               cells.pages_per_cell));
    if (cells.count() > 0) {
        draw_map(cells, width, "free space: # none, 0 to 9 tenths of the page", free_char, &rows);
        draw_map(cells, width, "visibility map: F all-frozen, V all-visible, v some, . none", visible_char,
                 &rows);
        draw_map(cells, width, "pool: D dirty, C cached, c some, . on disk only", pool_char, &rows);
    }
    close_table(rel);
    return 0;
}

}  // extern "C"

}  // namespace glassheap::introspect
