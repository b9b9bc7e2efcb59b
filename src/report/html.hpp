// report/html.hpp — writing HTML and SVG into one string.
// Errors: may longjmp (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"
#include "pg/pg_introspect.hpp"

namespace glassheap::report {

class Html {
public:
    Html() { ::initStringInfo(&out_); }
    void raw(const char *text) { ::appendStringInfoString(&out_, text); }
    void format(const char *pattern, ...) pg_attribute_printf(2, 3);
    void escaped(const char *text);     // text or attribute value from outside
    void grouped(std::uint64_t value);  // 1,234,567
    void bytes(std::uint64_t value);    // 83,886,080 (80 MB)
    text *result() const { return ::cstring_to_text_with_len(out_.data, out_.len); }

private:
    StringInfoData out_;
};

}  // namespace glassheap::report
