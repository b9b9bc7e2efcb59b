// scan/slot.hpp — handing a row to the executor (design.D8, slot.R1 to slot.R11).
//
// Why:    slots are TTSOpsHeapTuple whose tuple points into the page; the scan holds the pin.
// Errors: store_in_place never longjmps unless the slot owned memory; store_copy allocates.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <bit>

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
// The same for rows by the thousand: nothing goes through memory twice, and neighbours are written as one
// word.  `off` is left alone: core begins at 0 when there are no values yet.

// What a HeapTupleData begins with, but for the row's own length and line pointer.
struct TupleWords {
    std::uint64_t block;  // t_len, t_self.ip_blkid
    std::uint64_t table;  // t_self.ip_posid, t_tableOid
};
inline TupleWords tuple_words(BlockNo block, Oid table) noexcept {
    static_assert(offsetof(HeapTupleData, t_len) == 0 &&
                  offsetof(HeapTupleData, t_data) == sizeof(TupleWords));
    HeapTupleData empty = {};
    ItemPointerSet(&empty.t_self, block, 0);
    empty.t_tableOid = table;
    TupleWords words;
    std::memcpy(&words, &empty, sizeof words);
    return words;
}
// `value` as the first bytes of a word.
template <typename T>
constexpr std::uint64_t in_front(T value) noexcept {
    return std::endian::native == std::endian::little ? std::uint64_t{value}
                                                      : std::uint64_t{value} << (64 - 8 * sizeof(T));
}

struct RowInPage {
    const TupleWords &words;
    std::uint32_t tid_block;  // the block as ItemPointerData begins with it
    std::uint16_t row;
    std::uint32_t length;
    char *bytes;
};
// Precondition: !TTS_SHOULDFREE(slot).
inline void store_lean(TupleTableSlot *slot, const RowInPage &row) noexcept {
    auto *heap_slot = reinterpret_cast<HeapTupleTableSlot *>(slot);
    std::memcpy(&slot->tts_tid, &row.tid_block, sizeof row.tid_block);
    slot->tts_tid.ip_posid = row.row;
    const std::uint64_t block = row.words.block | in_front(row.length);
    auto *words = reinterpret_cast<char *>(&heap_slot->tupdata);
    std::memcpy(words, &block, sizeof block);
    // Two plain stores: compilers put both into a vector register, which costs more than it saves.
    asm volatile("" ::: "memory");
    const std::uint64_t table = row.words.table | in_front(row.row);
    std::memcpy(words + sizeof block, &table, sizeof table);
    heap_slot->tupdata.t_data = reinterpret_cast<HeapTupleHeader>(row.bytes);
    heap_slot->tuple = &heap_slot->tupdata;
    // tts_flags and tts_nvalid as one.
    static_assert(offsetof(TupleTableSlot, tts_nvalid) ==
                  offsetof(TupleTableSlot, tts_flags) + sizeof(uint16));
    constexpr auto kKept = static_cast<std::uint32_t>(in_front(static_cast<std::uint16_t>(~TTS_FLAG_EMPTY)) >>
                                                      (std::endian::native == std::endian::little ? 0 : 32));
    std::uint32_t flags;
    std::memcpy(&flags, &slot->tts_flags, sizeof flags);
    flags &= kKept;
    std::memcpy(&slot->tts_flags, &flags, sizeof flags);
}
// A copy in the slot's own memory (no scan holds a pin: slot.R3, slot.R4).
void store_copy(TupleTableSlot *slot, HeapTuple tuple);

}  // namespace glassheap::scan
