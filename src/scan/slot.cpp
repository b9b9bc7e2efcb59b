// scan/slot.cpp — rows handed out without a scan that would hold their page.
// Errors: allocates.
// SPDX-License-Identifier: PostgreSQL
#include "scan/slot.hpp"

namespace glassheap::scan {

void store_copy(TupleTableSlot *slot, HeapTuple tuple) {
    // The copy first: `tuple` may be what the slot holds.
    MemoryContext caller_context = MemoryContextSwitchTo(slot->tts_mcxt);
    HeapTuple copy = ::heap_copytuple(tuple);
    MemoryContextSwitchTo(caller_context);
    ::ExecStoreHeapTuple(copy, slot, true);
}

}  // namespace glassheap::scan
