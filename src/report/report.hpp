// report/report.hpp — the sections of glassheap_report.
//
// Why:    people would rather look than read: one page of HTML with pictures, that needs nothing from
//         anywhere.
// Invariants: introspect.H1 no URL, no script or style from outside;
//         introspect.H2 everything a mouse can find a keyboard can too;
//         introspect.H3 no row data: only headers, maps and counters.
// Errors: may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "introspect/page_cells.hpp"
#include "introspect/target.hpp"
#include "report/html.hpp"

namespace glassheap::report {

using namespace introspect;  // what all rooms of SQL functions share

struct Report {
    Html html;
    Relation rel;
    PageCells cells;
    BlockNo drawn;  // the page drawn to scale; kInvalidBlock: the table is empty
};

void report_numbers(Report *report);
void report_map(Report *report);
void report_fsm(Report *report);
void report_page(Report *report);
void report_pool(Report *report);
BlockNo choose_page_to_draw(const Report &report);

extern const char *const kReportStyle;
extern const char *const kReportScript;

}  // namespace glassheap::report
