// buffer/left_pages.hpp — pages that could not be written through stay dirty, and no checkpoint completes.
//
// Why:    in write-through mode who changes a page holds checkpoints off until it is written.  If it cannot
//         be (EIO, ENOSPC), heap's statement would succeed all the same, and its checkpoints fail.  So does
//         ours: the page is left dirty, and a veto as in checkpoint_veto.hpp takes the place of the flag.
//         Its page ("base/0/3") belongs to no process, for who raised it may be gone before the file can be
//         written.
// Invariants: ckpt.T5 the veto is up before the flag of who left a page dirty goes down.  Raising never fails
//            and waits for no I/O but core's failing write of its page (a second at most): that page is made
//            beforehand, by the first holder, or by the first write outside a critical section, and has a pin
//            of nobody's as long as the server runs.  (Where it could not be made, the write stays in a
//            critical section.)  A FATAL in the middle raises it, too.
//         ckpt.T6 left pages are DIRTY with IO_ERROR; every other dirty page is its writer's, whose flag is
//            up, or the holders'.  The veto is lowered only after a walk over all frames that began while it
//            was up has found none, and if nobody has raised it meanwhile.  By pool.F3 whatever was left is
//            queued for fsync by then, and core collects these requests after it has looked at the veto's
//            page.
// Who lowers it: a holder after a flush of everything; without holders a later change (write_left_pages);
//         and whoever makes the pool forget the last such page.
// Locking: LeftPages::lock under any of our latches and `turn`; under it core's header spin lock only.
// Errors: prepare_left_veto may longjmp.  The rest does not.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "buffer/frame.hpp"

namespace glassheap::buffer {

inline constexpr Oid kLeftVetoPage = 3;  // 1 and 2 are the holders'

void prepare_left_veto();  // with a resource owner

// Ends the critical section.  Then the dirty pages, pinned and latched by the caller, are written, or
// left under the veto.  The caller holds checkpoints off.
void end_critical_and_write(const FrameNo *frames, int count) noexcept;
// Tries some that were left.  The caller may have latches: what others have latched waits for another try.
void write_left_pages() noexcept;

bool is_left_veto_up(PageTag *failed = nullptr) noexcept;
void lower_left_veto_if_none() noexcept;  // after pages were written or forgotten

}  // namespace glassheap::buffer
