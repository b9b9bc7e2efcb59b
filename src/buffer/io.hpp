// buffer/io.hpp — one page to or from its file, with the claim others wait for.
//
// Invariants: pool.I1 a claim is entered into this process' list right after it was begun and leaves it when
//            it ended; what an error leaves behind is given up by abort_io_claims (resource callback, worker
//            loop, exit), so nobody waits for ever.  Such an error may be one that was caught (left_pages):
//            who has a claim across a write of another page asks has_claim.
//         pool.I2 a page is written from a private copy, whose LSN was flushed first (permanent relations).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

void claim_io(FrameNo frame, bool write) noexcept;
void forget_claim(FrameNo frame) noexcept;
bool has_claim(FrameNo frame) noexcept;
void abort_io_claims() noexcept;

void wait_for_io(FrameNo frame);                   // answers interrupts
void wait_for_io_quietly(FrameNo frame) noexcept;  // holds them off

// A page that somebody reads into shared_buffers just now is not written: nobody knows what he will have.
enum class Reader : std::uint8_t {
    wait,   // for his read to end; with an error if it lasts
    leave,  // the page to him: it stays dirty
};
// Writes the page if it is dirty; waits if somebody else is writing it.  True: this call wrote it.
// Precondition: pinned, latched (share is enough).
bool write_out(FrameNo frame, RingKind context = RingKind::none, Reader reader = Reader::wait);

// Neighbouring blocks just written, to be pushed towards the disk together (smgrwriteback).
class WritebackRun {
public:
    void add(const PageTag &tag, int flush_after);
    void issue();

private:
    PageTag first_ = {};
    BlockNo count_ = 0;
};

}  // namespace glassheap::buffer
