// introspect/rows.hpp — building the answer of an SQL function, column by column.
//
// Why:    each function then reads like its column list: rows.add({int8(block), boolean(seen)}).
// Errors: all of it may longjmp (palloc, work files).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"
#include "pg/pg_introspect.hpp"

namespace glassheap::introspect {

// One column of one row.
struct Cell {
    Datum value;
    bool null;
};
inline Cell null_cell() noexcept {
    return {0, true};
}
inline Cell boolean(bool value) noexcept {
    return {BoolGetDatum(value), false};
}
inline Cell int2(int value) noexcept {
    return {Int16GetDatum(static_cast<int16>(value)), false};
}
inline Cell int4(std::int64_t value) noexcept {
    return {Int32GetDatum(static_cast<int32>(value)), false};
}
inline Cell int8(std::uint64_t value) noexcept {
    return {Int64GetDatum(static_cast<int64>(value)), false};
}
inline Cell float8(double value) {
    return {Float8GetDatum(value), false};
}
inline Cell oid(Oid value) noexcept {
    return {ObjectIdGetDatum(value), false};
}
inline Cell xid(Xid value) noexcept {
    return {TransactionIdGetDatum(value), false};
}
inline Cell lsn(Lsn value) noexcept {
    return {LSNGetDatum(value), false};
}
inline Cell timestamp(TimestampTz value) noexcept {
    return value == 0 ? null_cell() : Cell{TimestampTzGetDatum(value), false};
}
inline Cell text_cell(const char *value) {
    return value == nullptr ? null_cell() : Cell{PointerGetDatum(::cstring_to_text(value)), false};
}
inline Cell row_address(BlockNo block, SlotNo slot) {
    auto *tid = pg::make_raw<ItemPointerData>();
    ItemPointerSet(tid, block, slot);
    return {PointerGetDatum(tid), false};
}
inline Cell bytes_cell(const char *data, std::size_t length) {
    auto *value = static_cast<bytea *>(::palloc(length + VARHDRSZ));
    SET_VARSIZE(value, length + VARHDRSZ);
    std::memcpy(VARDATA(value), data, length);
    return {PointerGetDatum(value), false};
}
inline Cell datum_cell(Datum value) noexcept {
    return {value, false};
}

inline constexpr int kMaxColumns = 40;

// Cells as PostgreSQL wants them.
struct Columns {
    Datum values[kMaxColumns];
    bool nulls[kMaxColumns];
    int count = 0;

    explicit Columns(std::initializer_list<Cell> cells) noexcept {
        for (const Cell &cell : cells) {
            values[count] = cell.value;
            nulls[count] = cell.null;
            ++count;
        }
    }
};

// The result of a set-returning function, materialized.  What a row's cells point to is freed with the row.
class Rows {
public:
    explicit Rows(FunctionCallInfo fcinfo);
    // Call before making cells that allocate; end_row (or add) goes back.
    void begin_row() { outer_ = ::MemoryContextSwitchTo(row_memory_); }
    void add(std::initializer_list<Cell> cells) {
        Columns columns(cells);
        GH_ASSERT(columns.count == desc_->natts);
        ::tuplestore_putvalues(store_, desc_, columns.values, columns.nulls);
        if (outer_ != nullptr) {
            ::MemoryContextSwitchTo(outer_);
            ::MemoryContextReset(row_memory_);
            outer_ = nullptr;
        }
    }

private:
    Tuplestorestate *store_;
    TupleDesc desc_;
    MemoryContext row_memory_;
    MemoryContext outer_ = nullptr;
};

// A single composite value.
Datum make_record(FunctionCallInfo fcinfo, std::initializer_list<Cell> cells);

}  // namespace glassheap::introspect
