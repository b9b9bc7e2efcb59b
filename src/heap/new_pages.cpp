// heap/new_pages.cpp — see new_pages.hpp.
// Locking: none; the file belongs to this transaction.
// Errors: ERRCODE_PROGRAM_LIMIT_EXCEEDED for rows that fit no page.
// WAL:    RecordType::new_pages, full images.
// SPDX-License-Identifier: PostgreSQL
#include "heap/new_pages.hpp"

#include "wal/emit.hpp"

namespace glassheap::heap {

void NewPages::begin(Relation rel) {
    rel_ = rel;
    for (char *&page : pages_) page = static_cast<char *>(::palloc0(page::kPageSize));
    first_block_ = RelationGetNumberOfBlocks(rel);  // need not be empty, only locked
    filled_ = 0;
    open_ = false;
    reserve_ = RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR);
}

// Logged first, as everywhere; then written with no request to sync: finish() syncs, because a checkpoint
// meanwhile would not know of pages that are in no pool.
void NewPages::write_batch(int count) {
    if (count == 0) return;
    if (RelationNeedsWAL(rel_)) {
        BlockNo blocks[kBatch] = {};
        for (int i = 0; i < count; ++i) blocks[i] = first_block_ + static_cast<BlockNo>(i);
        wal::log_new_pages(pg::file_of(rel_), MAIN_FORKNUM, blocks, pages_, count);
    }
    for (int i = 0; i < count; ++i) {
        const BlockNo block = first_block_ + static_cast<BlockNo>(i);
        ::PageSetChecksumInplace(pages_[i], block);
        ::smgrextend(RelationGetSmgr(rel_), MAIN_FORKNUM, block, pages_[i], true);
    }
    first_block_ += static_cast<BlockNo>(count);
    filled_ = 0;
}

void NewPages::make_room(Size bytes) {
    if (open_ && bytes + reserve_ > current().free_space_for_tuple()) {
        open_ = false;
        if (++filled_ == kBatch) write_batch(kBatch);
    }
    if (open_) return;
    current().init();
    open_ = true;
}

void NewPages::append(HeapTuple tuple) {
    const Size bytes = MAXALIGN(tuple->t_len);
    if (bytes > MaxHeapTupleSize)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("row is too big: size %zu, maximum size %zu", bytes, MaxHeapTupleSize)));
    make_room(bytes);
    const page::PageEdit page = current();
    const SlotNo row = page.choose_slot();
    if (!page.put_tuple(row, reinterpret_cast<const char *>(tuple->t_data), tuple->t_len))
        elog(ERROR, "failed to add tuple");
    ItemPointerSet(&tuple->t_self, current_block(), row);
    if (!ItemPointerIsValid(&tuple->t_data->t_ctid))
        page.set_ctid(row, page::RowAddress::make(current_block(), row));
}

void NewPages::finish() {
    write_batch(filled_ + (open_ ? 1 : 0));
    open_ = false;
    if (RelationNeedsWAL(rel_)) ::smgrimmedsync(RelationGetSmgr(rel_), MAIN_FORKNUM);
}

}  // namespace glassheap::heap
