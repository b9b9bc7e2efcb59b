// heap/new_pages.hpp — appends rows to a file nobody else sees, page by page.
//
// Invariants: heap.N1 pages are logged and written in batches; the row addresses are known before that.
// Errors: may longjmp (rows too big, I/O).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/page_edit.hpp"
#include "pg/pg.hpp"

namespace glassheap::heap {

class NewPages {
public:
    // Allocates in the current context, which must live as long.
    void begin(Relation rel);
    // Puts the tuple's bytes on a page and sets tuple->t_self.  The stored ctid points to itself when the
    // tuple's own is invalid.
    void append(HeapTuple tuple);
    void finish();  // writes the rest; syncs the file when its pages were logged

private:
    static constexpr int kBatch = 16;

    page::PageEdit current() const noexcept { return page::PageEdit(pages_[filled_]); }
    BlockNo current_block() const noexcept { return first_block_ + static_cast<BlockNo>(filled_); }
    void make_room(Size bytes);
    void write_batch(int count);

    Relation rel_;
    char *pages_[kBatch];
    BlockNo first_block_;  // of the batch
    int filled_;           // pages of the batch that are complete
    bool open_;            // the page after them holds rows
    Size reserve_;         // bytes to be left free on each page (fillfactor)
};

}  // namespace glassheap::heap
