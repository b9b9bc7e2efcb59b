// introspect/page_facts.cpp — what there is to say about each page of a table.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/page_facts.hpp"
#include "page/page_check.hpp"
#include "pg/pg_smgr.hpp"

namespace glassheap::introspect {

namespace {

void consider_xid(Xid xid, Xid *newest) {
    if (!TransactionIdIsNormal(xid)) return;
    if (*newest == kInvalidXid || ::TransactionIdFollows(xid, *newest)) *newest = xid;
}

void count_items(page::PageView view, PageFacts *facts) {
    const SlotNo last = view.max_slot();
    for (SlotNo slot = 1; slot <= last; ++slot) {
        switch (view.line(slot).state()) {
            case page::LineState::unused:
                facts->unused++;
                continue;
            case page::LineState::redirect:
                facts->redirected++;
                continue;
            case page::LineState::dead:
                facts->dead++;
                continue;
            case page::LineState::normal:
                break;
        }
        const page::TupleHead &head = view.tuple(slot);
        facts->normal++;
        if ((head.infomask2 & page::kHeapOnly) != 0) facts->heap_only++;
        consider_xid(head.xmin, &facts->newest_xid);
        if ((head.infomask & (page::kXmaxInvalid | page::kXmaxIsMulti)) == 0)
            consider_xid(head.xmax, &facts->newest_xid);
    }
}

}  // namespace

PageLook look_at_page(Relation rel, BlockNo block, char *copy) {
    constexpr int kAttempts = 5;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (const buffer::PinnedPage page = buffer::read_if_cached(buffer::fork_of(rel), block)) {
            const buffer::ShareLatch latch(page);
            std::memcpy(copy, page.data(), BLCKSZ);
            return {true, page.known_all_committed_upto()};
        }
        ::smgrread(::RelationGetSmgr(rel), MAIN_FORKNUM, block, copy);
        if (pg::is_page_verified(copy, block, pg::PageReport::nothing)) return {true, kInvalidXid};
        // It may just be written by somebody: look again before accusing the disk.
        ::pg_usleep(1000);
        CHECK_FOR_INTERRUPTS();
    }
    return {false, kInvalidXid};
}

FrameTable::FrameTable(Relation rel, ForkNumber fork) {
    if (RelationUsesLocalBuffers(rel)) return;
    const int capacity = buffer::frame_count();
    Vector<FrameNo> numbers(static_cast<std::size_t>(capacity), boost::container::default_init);
    const int found = std::min(buffer::frames_of(pg::file_of(rel), numbers.data(), capacity), capacity);
    numbers.resize(static_cast<std::size_t>(found));
    for (const FrameNo number : numbers) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(number, &info, false)) continue;
        if (info.fork == fork && pg::is_same_file(info.file, pg::file_of(rel))) frames_.push_back(info);
    }
    std::sort(frames_.begin(), frames_.end(),
              [](const buffer::FrameInfo &a, const buffer::FrameInfo &b) { return a.block < b.block; });
}

const buffer::FrameInfo *FrameTable::find(BlockNo block) const {
    const auto at =
        std::lower_bound(frames_.begin(), frames_.end(), block,
                         [](const buffer::FrameInfo &info, BlockNo wanted) { return info.block < wanted; });
    return at != frames_.end() && at->block == block ? &*at : nullptr;
}

PageFacts page_facts(Relation rel, BlockNo block, char *scratch) {
    PageFacts facts = {};
    const PageLook look = look_at_page(rel, block, scratch);
    const page::PageView view(scratch);
    facts.readable = look.readable && page::check_structure(view).fault == page::PageFault::none;
    if (!facts.readable) return facts;
    facts.is_new = view.is_new();
    facts.summary_xid = look.summary_xid;
    facts.lsn = view.lsn();
    if (facts.is_new) {
        facts.free_bytes = BLCKSZ - SizeOfPageHeaderData;
        return facts;
    }
    facts.free_bytes = static_cast<std::uint16_t>(view.free_space_for_tuple());
    facts.all_visible = view.all_visible();
    facts.prune_xid = view.prune_xid();
    count_items(view, &facts);
    return facts;
}

}  // namespace glassheap::introspect
