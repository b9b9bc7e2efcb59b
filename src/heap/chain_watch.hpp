// heap/chain_watch.hpp — a walk along the versions of a row, page to page, notices when it comes by again.
//
// Why:    forward pointers of damaged pages may lead in a circle; the walk would never end.  Within one page
//         the number of its line pointers is the limit, and nobody needs this.
// How:    one place is remembered and compared, a later one after 1, 2, 4 ... steps (Brent).  A line pointer
//         may be used anew by a later version while the walk goes on: that has another updater.
// Errors: arrive longjmps: DATA_CORRUPTED, or an interrupt.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "heap/heap_errors.hpp"

namespace glassheap::heap {

class ChainWatch {
public:
    // The walk goes on at `tid`, to a version made by `updater`.
    void arrive(Relation rel, const ItemPointerData &tid, Xid updater) {
        CHECK_FOR_INTERRUPTS();
        if (updater == updater_ && ::ItemPointerEquals(const_cast<ItemPointer>(&tid), &tid_)) [[unlikely]]
            report_circle(rel, tid);
        if (--steps_left_ > 0) return;
        tid_ = tid;
        updater_ = updater;
        span_ *= 2;
        steps_left_ = span_;
    }

private:
    ItemPointerData tid_{};
    Xid updater_ = kInvalidXid;  // of nobody: no place is remembered
    std::uint64_t span_ = 1;
    std::uint64_t steps_left_ = 1;
};

}  // namespace glassheap::heap
