// scan/slot.hpp — handing a row to the executor (design.D8, slot.R1 to slot.R11).
//
// Why:    slots are TTSOpsHeapTuple whose tuple points into the page; the scan holds the pin.
// Errors: store_in_place never longjmps unless the slot owned memory; store_copy allocates.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::scan {

// The tuple's bytes stay in the page: the caller keeps the pin as long as the slot may be read (slot.R2).
inline void store_in_place(TupleTableSlot *slot, const HeapTupleData &tuple) {
    auto *heap_slot = reinterpret_cast<HeapTupleTableSlot *>(slot);
    if (TTS_SHOULDFREE(slot)) [[unlikely]]
        ::ExecClearTuple(slot);
    heap_slot->tupdata = tuple;
    heap_slot->tuple = &heap_slot->tupdata;
    heap_slot->off = 0;
    slot->tts_nvalid = 0;
    slot->tts_flags = static_cast<uint16>(slot->tts_flags & ~TTS_FLAG_EMPTY);
    slot->tts_tid = tuple.t_self;
    slot->tts_tableOid = tuple.t_tableOid;
}
// The same for rows by the thousand: field by field, so that nothing goes through memory twice.
// Precondition: !TTS_SHOULDFREE(slot).  `tid_block` is the block as ItemPointerData begins with it.
struct RowInPage {
    std::uint32_t tid_block;
    std::uint16_t row;
    Oid table;
    uint32 length;
    char *bytes;
};
inline void store_lean(TupleTableSlot *slot, const RowInPage &row) noexcept {
    auto *heap_slot = reinterpret_cast<HeapTupleTableSlot *>(slot);
    const auto set_tid = [&row](ItemPointerData *tid) noexcept {
        std::memcpy(tid, &row.tid_block, sizeof row.tid_block);
        tid->ip_posid = row.row;
    };
    heap_slot->tupdata.t_len = row.length;
    set_tid(&heap_slot->tupdata.t_self);
    heap_slot->tupdata.t_tableOid = row.table;
    heap_slot->tupdata.t_data = reinterpret_cast<HeapTupleHeader>(row.bytes);
    heap_slot->tuple = &heap_slot->tupdata;
    heap_slot->off = 0;
    slot->tts_nvalid = 0;
    slot->tts_flags = static_cast<uint16>(slot->tts_flags & ~TTS_FLAG_EMPTY);
    set_tid(&slot->tts_tid);
}
// A copy in the slot's own memory (no scan holds a pin: slot.R3, slot.R4).
void store_copy(TupleTableSlot *slot, HeapTuple tuple);

}  // namespace glassheap::scan
