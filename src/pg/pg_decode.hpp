// pg/pg_decode.hpp — logical decoding: what the reorder buffer takes.
// Versions: 16 names a change's file rlocator; 17 takes plain HeapTuples for rows.
// Errors: may longjmp (memory).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

extern "C" {
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/reorderbuffer.h"
#include "replication/slot.h"
#include "replication/snapbuild.h"
}

namespace glassheap::pg {

using DecodedRow = ReorderBufferTupleBuf;

// Room for a tuple of `data_length` bytes behind its fixed header.
inline DecodedRow *new_decoded_row(ReorderBuffer *reorder, Size data_length) {
    return ::ReorderBufferGetTupleBuf(reorder, data_length);
}
inline HeapTuple tuple_of(DecodedRow *row) noexcept {
    return &row->tuple;
}
inline void set_file(ReorderBufferChange *change, const RelFile &file) noexcept {
    change->data.tp.relnode = file;
}

}  // namespace glassheap::pg
