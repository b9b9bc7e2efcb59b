// test/unit/page/page_model.hpp — a page as a map of slots, kept in step with the real one.
//
// Why:    the model knows nothing of offsets and bytes, only which slot holds what; after every change
//         both must tell the same, and page_check must find nothing wrong.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "page/page_check.hpp"
#include "page/page_edit.hpp"

namespace glassheap::page::test {

struct alignas(8) PageBytes {
    char bytes[kPageSize];
};

// A tuple with a plausible header and a recognisable body.
inline std::string make_tuple(std::size_t body, char fill, Xid xmin = 100) {
    std::string tuple(align_up(kTupleHeadFixed) + body, fill);
    TupleHead head{};
    head.xmin = xmin;
    head.infomask = kXmaxInvalid;
    head.infomask2 = 1;
    head.hoff = static_cast<std::uint8_t>(align_up(kTupleHeadFixed));
    std::memcpy(tuple.data(), &head, kTupleHeadFixed);
    tuple[kTupleHeadFixed] = 0;
    return tuple;
}

struct ModelLine {
    LineState state = LineState::unused;
    std::string tuple;  // normal
    SlotNo target = 0;  // redirect
};

class PageModel {
public:
    std::map<SlotNo, ModelLine> lines;

    SlotNo last() const { return lines.empty() ? SlotNo{0} : lines.rbegin()->first; }
    SlotNo lowest_unused() const {
        for (const auto &[slot, line] : lines) {
            if (line.state == LineState::unused) return slot;
        }
        return 0;
    }
    void cut_tail() {
        while (lines.size() > 1 && lines.rbegin()->second.state == LineState::unused) {
            lines.erase(std::prev(lines.end()));
        }
    }
    std::size_t stored() const {
        std::size_t sum = 0;
        for (const auto &[slot, line] : lines) sum += align_up(line.tuple.size());
        return sum;
    }
};

inline void expect_same(PageView page, const PageModel &model) {
    ASSERT_EQ(page.max_slot(), model.last());
    for (const auto &[slot, want] : model.lines) {
        const LinePointer have = page.line(slot);
        ASSERT_EQ(have.state(), want.state) << "slot " << slot;
        if (want.state == LineState::redirect) {
            ASSERT_EQ(have.redirect_to(), want.target);
        }
        if (want.state != LineState::normal) continue;
        ASSERT_EQ(have.length(), want.tuple.size());
        ASSERT_EQ(std::string(page.tuple_bytes(slot), have.length()), want.tuple) << "slot " << slot;
    }
    const PageFinding finding = check_structure(page);
    ASSERT_EQ(finding.fault, PageFault::none) << describe(finding.fault) << " at slot " << finding.slot;
}

}  // namespace glassheap::page::test
