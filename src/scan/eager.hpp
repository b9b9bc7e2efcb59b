// scan/eager.hpp — columns that a scan takes from each row before the executor asks for them.
//
// Why:    a query wants the same columns of every row, and core's deforming costs a hundred instructions
//         before it has read one.  Where the wanted ones lie at fixed places, taking them costs a dozen each.
// Invariants: scan.E1 A slot's values are what core's deforming would have made of the same row with the same
//            descriptor: only leading columns whose place core has cached, of rows without NULLs that have
//            them all; else the slot is left to core.
//         scan.E2 Nothing is taken that was not wanted: as many columns as the executor deformed of the first
//            row of a page, the fewest of all pages so far in which that was any; and only into that slot.
// Locking: the row's page is pinned.
// Errors: none.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/layout.hpp"
#include "pg/pg_scan.hpp"

namespace glassheap::scan {

struct EagerColumns {
    TupleTableSlot *slot;  // nullptr: none are taken
    int count;
    uint32 length;  // of their bytes
    int fewest;     // columns that a page's first row was deformed to
};

// scan.E2; `slot` holds a row in place, as it was left by whoever read it.
inline void choose_columns(EagerColumns *eager, TupleTableSlot *slot) noexcept {
    eager->slot = nullptr;
    // An aggregate copies the first row of all and reads the copy: no columns do not mean that none are
    // wanted.
    if (slot->tts_nvalid == 0) return;
    eager->fewest = std::min(eager->fewest, static_cast<int>(slot->tts_nvalid));
    const int end = pg::end_of_fixed_columns(slot->tts_tupleDescriptor, eager->fewest);
    if (end < 0) return;
    eager->slot = slot;
    eager->count = eager->fewest;
    eager->length = static_cast<uint32>(end);
}

// After the row of `length` bytes was stored in the slot.
inline void take_columns(const EagerColumns &eager, TupleTableSlot *slot, const char *bytes,
                         uint32 length) noexcept {
    const auto &head = *reinterpret_cast<const page::TupleHead *>(bytes);
    const int count = eager.count;
    // A row that was written with fewer columns is shorter.
    if ((head.infomask & page::kHasNull) != 0 || head.hoff + eager.length > length) [[unlikely]]
        return;
    const char *data = bytes + head.hoff;
    const TupleDesc columns = slot->tts_tupleDescriptor;
    Datum *values = slot->tts_values;
    bool *nulls = slot->tts_isnull;
    for (int i = 0; i < count; ++i) {
        values[i] = pg::fixed_column(columns, i, data);
        nulls[i] = false;
    }
    slot->tts_nvalid = static_cast<AttrNumber>(count);
    // From where core goes on, should more be wanted.
    reinterpret_cast<HeapTupleTableSlot *>(slot)->off = eager.length;
    slot->tts_flags = static_cast<uint16>(slot->tts_flags & ~TTS_FLAG_SLOW);
}

}  // namespace glassheap::scan
