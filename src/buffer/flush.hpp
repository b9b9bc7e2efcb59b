// buffer/flush.hpp — writing many dirty pages in the order of the disk.
// Errors: may longjmp (I/O).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/io.hpp"
#include "buffer/page_table.hpp"

namespace glassheap::buffer {

// Writes the frame if it still holds the page and is dirty.
enum class PageFlush : std::uint8_t {
    nothing,  // to be done
    written,
    passed,  // over, for its reader (Reader::leave): to be flushed again
};
PageFlush flush_page(const FrameAndTag &entry, Reader reader = Reader::wait);
// Room to sort all frames, kept by the process: makes flush_every_dirty allocate nothing.
void prepare_flush_space();
// Writes every page that is dirty when its frame is looked at, except those that are passed over.
struct Flushed {
    std::size_t written, passed;
};
Flushed flush_every_dirty(int flush_after, Reader reader);
// Only what this process' last flush has passed over; all, if that was too much to remember.
Flushed flush_passed_over(int flush_after);
PageTag first_passed_over() noexcept;
// After an error: the page that could not be written; PageTag{} if it was not a page.
PageTag last_tried_page() noexcept;
void forget_last_tried() noexcept;
void note_tried_page(const PageTag &tag) noexcept;
bool find_dirty_page(PageTag *tag) noexcept;  // any
// One that was written in replay, but beside an older copy (core_copies, Written::undecided).
bool find_undecided_page(PageTag *tag) noexcept;
// The pool writer's round: up to `limit` dirty cold pages among the next `ahead` frames of the clock hand.
struct TrickleResult {
    std::size_t written;
    int reusable;  // clean or cleaned frames seen
    bool hit_limit;
};
TrickleResult trickle(int ahead, int limit, int flush_after);

}  // namespace glassheap::buffer
