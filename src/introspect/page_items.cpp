// introspect/page_items.cpp — line pointers and tuple headers of one page, and the attributes of its tuples.
//
// Why:    what a page holds, item by item, from any 8192 bytes: nothing in them is trusted.
// Invariants: introspect.I1 no byte outside the given page or tuple is read, whatever the bytes say.
//         introspect.I2 no pointer found in the bytes is followed but a TOAST pointer into the relation's own
//         TOAST table.
// Errors: may longjmp: DATA_CORRUPTED for what cannot be decoded.  Superuser only.
// See:    page/layout.hpp; PG: contrib/pageinspect/heapfuncs.c, access/htup_details.h.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/rows.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

namespace {

constexpr int kHeadColumns = 13;  // lp .. t_oid; t_data or t_attrs follows

// ---- one item

struct Item {
    SlotNo slot;
    page::LinePointer line;
    const page::TupleHead *head = nullptr;  // nullptr: no tuple header within the page
    const char *bits = nullptr;             // null bitmap, or nullptr
    int bits_length = 0;                    // bytes
    const char *data = nullptr;             // user data, or nullptr when t_hoff makes no sense
    int data_length = 0;
};

Item decode_item(page::PageView view, SlotNo slot) {
    Item item = {.slot = slot, .line = view.line(slot)};
    const std::size_t offset = item.line.offset();
    const std::size_t length = item.line.length();
    if (length < page::kTupleHeaderSize + 1 || offset != page::align_up(offset) ||
        offset + length > page::kPageSize)
        return item;
    const char *tuple = view.bytes() + offset;
    item.head = reinterpret_cast<const page::TupleHead *>(tuple);
    const std::size_t hoff = item.head->hoff;
    if (hoff < page::kTupleHeadFixed || hoff > length || hoff != page::align_up(hoff)) return item;
    item.data = tuple + hoff;
    item.data_length = static_cast<int>(length - hoff);
    if ((item.head->infomask & page::kHasNull) != 0) {
        const int needed = BITMAPLEN(item.head->infomask2 & page::kAttributeCountMask);
        if (static_cast<std::size_t>(needed) <= hoff - page::kTupleHeadFixed) {
            item.bits = tuple + page::kTupleHeadFixed;
            item.bits_length = needed;
        }
    }
    return item;
}

Cell bits_cell(const Item &item) {
    if (item.bits == nullptr) return null_cell();
    const int count = item.bits_length * 8;
    auto *value = static_cast<text *>(::palloc(static_cast<Size>(count) + VARHDRSZ));
    SET_VARSIZE(value, count + VARHDRSZ);
    for (int i = 0; i < count; ++i)
        VARDATA(value)[i] = (static_cast<unsigned char>(item.bits[i / 8]) >> (i % 8)) & 1 ? '1' : '0';
    return {PointerGetDatum(value), false};
}

// Before PostgreSQL 12 a tuple could hold an OID in its last header bytes.
Cell old_oid_cell(const Item &item) {
    if (item.data == nullptr || (item.head->infomask & HEAP_HASOID_OLD) == 0) return null_cell();
    Oid value;
    std::memcpy(&value, item.data - sizeof value, sizeof value);
    return oid(value);
}

void fill_head_columns(const Item &item, Cell *cells) {
    cells[0] = int2(item.slot);
    cells[1] = int2(item.line.offset());
    cells[2] = int2(static_cast<int>(item.line.state()));
    cells[3] = int2(item.line.length());
    if (item.head == nullptr) {
        std::fill(cells + 4, cells + kHeadColumns, null_cell());
        return;
    }
    const page::TupleHead &head = *item.head;
    cells[4] = xid(head.xmin);
    cells[5] = xid(head.xmax);
    cells[6] = int4(head.cid);
    cells[7] = {PointerGetDatum(&head.ctid), false};
    cells[8] = int4(head.infomask2);
    cells[9] = int4(head.infomask);
    cells[10] = int2(head.hoff);
    cells[11] = bits_cell(item);
    cells[12] = old_oid_cell(item);
}

void add_item(Rows *rows, const Cell *c, Cell last) {
    rows->add({c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12], last});
}

// Line pointers that lie within the page, whatever pd_lower says.
SlotNo last_slot(page::PageView view) {
    constexpr std::size_t kMost = (page::kPageSize - page::kHeaderSize) / page::kLinePointerSize;
    return static_cast<SlotNo>(std::min<std::size_t>(view.max_slot(), kMost));
}

void list_items(const char *page, Rows *rows) {
    const page::PageView view(page);
    const SlotNo last = last_slot(view);
    for (SlotNo slot = 1; slot <= last; ++slot) {
        rows->begin_row();
        const Item item = decode_item(view, slot);
        Cell cells[kHeadColumns];
        fill_head_columns(item, cells);
        add_item(rows, cells,
                 item.data == nullptr ? null_cell()
                                      : bytes_cell(item.data, static_cast<std::size_t>(item.data_length)));
    }
}

// ---- attributes of one tuple

struct TupleBytes {
    const char *data;
    int length;
    std::uint16_t infomask;
    std::uint16_t infomask2;
    const bits8 *bits;  // nullptr: no nulls
};

[[noreturn]] void too_short() {
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("unexpected end of tuple data")));
}

// Length of the variable-length value at `at`, of which `left` bytes are given.
int varlena_length(const char *at, int left, int attribute) {
    if (left < 1) too_short();
    if (VARATT_IS_EXTERNAL(at)) {
        if (left < static_cast<int>(VARHDRSZ_EXTERNAL)) too_short();
        if (VARTAG_EXTERNAL(at) != VARTAG_ONDISK)
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_CORRUPTED),
                     errmsg("first byte of varlena attribute is incorrect for attribute %d", attribute)));
        return static_cast<int>(VARHDRSZ_EXTERNAL + sizeof(varatt_external));
    }
    if (VARATT_IS_1B(at)) return VARSIZE_1B(at);
    std::uint32_t word;
    if (left < static_cast<int>(sizeof word)) too_short();
    std::memcpy(&word, at, sizeof word);
    const auto length = static_cast<int>((word >> 2) & 0x3FFFFFFF);
    const bool compressed = (word & 3U) == 2;
    if (length < (compressed ? static_cast<int>(VARHDRSZ_COMPRESSED) : static_cast<int>(VARHDRSZ)))
        too_short();
    return length;
}

bytea *detoasted(const char *at, int length, Oid toast_table) {
    // An aligned copy: the macros of varlena read words.
    auto *copy = static_cast<varlena *>(::palloc0(static_cast<Size>(length) + sizeof(std::uint64_t)));
    std::memcpy(copy, at, static_cast<std::size_t>(length));
    if (VARATT_IS_EXTERNAL_ONDISK(copy)) {
        varatt_external pointer;
        VARATT_EXTERNAL_GET_POINTER(pointer, copy);
        if (pointer.va_toastrelid != toast_table || !OidIsValid(toast_table))
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("TOAST pointer names table %u, but the relation's TOAST table is %u",
                                   pointer.va_toastrelid, toast_table)));
    }
    return reinterpret_cast<bytea *>(::pg_detoast_datum_copy(copy));
}

bytea *attribute_value(const char *at, int length, bool detoast, Oid toast_table) {
    if (detoast) return detoasted(at, length, toast_table);
    return DatumGetByteaP(bytes_cell(at, static_cast<std::size_t>(length)).value);
}

int attribute_length(Form_pg_attribute column, const char *at, int left, int number) {
    int length = column->attlen;
    if (length == -1) length = varlena_length(at, left, number);
    if (length == -2) {
        const void *end = left > 0 ? std::memchr(at, 0, static_cast<std::size_t>(left)) : nullptr;
        if (end == nullptr) too_short();
        length = static_cast<int>(static_cast<const char *>(end) - at) + 1;
    }
    if (length > left) too_short();
    return length;
}

// Where the value that may stand at `offset` really begins: a short varlena stands anywhere, padding is zero.
int value_start(Form_pg_attribute column, const TupleBytes &tuple, int offset) {
    if (column->attlen == -1 && (offset >= tuple.length || tuple.data[offset] != 0)) return offset;
    return static_cast<int>(att_align_nominal(offset, column->attalign));
}

Datum split_tuple(Relation rel, const TupleBytes &tuple, bool detoast) {
    TupleDesc desc = RelationGetDescr(rel);
    const int stored = tuple.infomask2 & page::kAttributeCountMask;
    if (desc->natts < stored)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("number of attributes in tuple header is greater than number of attributes in "
                               "tuple descriptor")));
    ArrayBuildState *values = ::initArrayResult(BYTEAOID, CurrentMemoryContext, false);
    int offset = 0;
    for (int i = 0; i < desc->natts; ++i) {
        Form_pg_attribute column = TupleDescAttr(desc, i);
        const bool null = i >= stored || (tuple.bits != nullptr && att_isnull(i, tuple.bits));
        if (null) {
            values = ::accumArrayResult(values, 0, true, BYTEAOID, CurrentMemoryContext);
            continue;
        }
        offset = value_start(column, tuple, offset);
        if (offset > tuple.length) too_short();
        const char *at = tuple.data + offset;
        const int length = attribute_length(column, at, tuple.length - offset, i);
        bytea *value =
            attribute_value(at, length, detoast && column->attlen == -1, rel->rd_rel->reltoastrelid);
        values = ::accumArrayResult(values, PointerGetDatum(value), false, BYTEAOID, CurrentMemoryContext);
        offset += length;
    }
    if (offset != tuple.length)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("end of tuple reached without looking at all its data")));
    return ::makeArrayResult(values, CurrentMemoryContext);
}

void list_item_attributes(const char *page, Relation rel, bool detoast, Rows *rows) {
    const page::PageView view(page);
    const SlotNo last = last_slot(view);
    for (SlotNo slot = 1; slot <= last; ++slot) {
        rows->begin_row();
        const Item item = decode_item(view, slot);
        Cell cells[kHeadColumns];
        fill_head_columns(item, cells);
        Cell attributes = null_cell();
        if (item.data != nullptr) {
            const TupleBytes tuple = {.data = item.data,
                                      .length = item.data_length,
                                      .infomask = item.head->infomask,
                                      .infomask2 = item.head->infomask2,
                                      .bits = reinterpret_cast<const bits8 *>(item.bits)};
            attributes = {split_tuple(rel, tuple, detoast), false};
        }
        add_item(rows, cells, attributes);
    }
}

// The null bitmap as text ("1101...") back to bytes; nullptr when the tuple has no nulls.
const bits8 *bits_argument(const char *given, std::uint16_t infomask, std::uint16_t infomask2) {
    if ((infomask & page::kHasNull) == 0) {
        if (given != nullptr)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("t_bits string is expected to be NULL, but instead it is %zu bytes long",
                                   std::strlen(given))));
        return nullptr;
    }
    if (given == nullptr)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("t_bits string must not be NULL")));
    const std::size_t expected =
        static_cast<std::size_t>(BITMAPLEN(infomask2 & page::kAttributeCountMask)) * 8;
    const std::size_t length = std::strlen(given);
    if (length != expected)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("unexpected length of t_bits string: %zu, expected %zu", length, expected)));
    auto *bits = static_cast<bits8 *>(::palloc0(length / 8 + 1));
    for (std::size_t i = 0; i < length; ++i) {
        if (given[i] != '0' && given[i] != '1')
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("invalid character in t_bits string at position %zu", i + 1)));
        if (given[i] == '1') bits[i / 8] = static_cast<bits8>(bits[i / 8] | (1U << (i % 8)));
    }
    return bits;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_page_items);
PGDLLEXPORT Datum glassheap_page_items(PG_FUNCTION_ARGS) {
    require_superuser();
    const char *page = page_from_bytea(PG_GETARG_BYTEA_PP(0));
    Rows rows(fcinfo);
    list_items(page, &rows);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_page_items_of);
PGDLLEXPORT Datum glassheap_page_items_of(PG_FUNCTION_ARGS) {
    require_superuser();
    const char *page = copy_page_of(PG_GETARG_OID(0), MAIN_FORKNUM, PG_GETARG_INT64(1));
    Rows rows(fcinfo);
    list_items(page, &rows);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_page_item_attrs);
PGDLLEXPORT Datum glassheap_page_item_attrs(PG_FUNCTION_ARGS) {
    require_superuser();
    const char *page = page_from_bytea(PG_GETARG_BYTEA_PP(0));
    Relation rel = open_table(PG_GETARG_OID(1));
    Rows rows(fcinfo);
    list_item_attributes(page, rel, PG_GETARG_BOOL(2), &rows);
    close_table(rel);
    return 0;
}

PG_FUNCTION_INFO_V1(glassheap_page_item_attrs_of);
PGDLLEXPORT Datum glassheap_page_item_attrs_of(PG_FUNCTION_ARGS) {
    require_superuser();
    Relation rel = open_table(PG_GETARG_OID(0));
    const char *page = copy_page(rel, MAIN_FORKNUM, PG_GETARG_INT64(1));
    Rows rows(fcinfo);
    list_item_attributes(page, rel, PG_GETARG_BOOL(2), &rows);
    close_table(rel);
    return 0;
}

// Not STRICT: the tuple of an unused line pointer has no data, and a tuple without nulls no bits.
PG_FUNCTION_INFO_V1(glassheap_tuple_data_split);
PGDLLEXPORT Datum glassheap_tuple_data_split(PG_FUNCTION_ARGS) {
    require_superuser();
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    for (const int argument : {0, 2, 3, 5})
        if (PG_ARGISNULL(argument))
            ereport(ERROR,
                    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                     errmsg("argument %d of glassheap_tuple_data_split must not be null", argument + 1)));
    const bytea *raw = PG_GETARG_BYTEA_PP(1);
    const auto infomask = static_cast<std::uint16_t>(PG_GETARG_INT32(2));
    const auto infomask2 = static_cast<std::uint16_t>(PG_GETARG_INT32(3));
    const char *bits_text = PG_ARGISNULL(4) ? nullptr : ::text_to_cstring(PG_GETARG_TEXT_PP(4));
    const TupleBytes tuple = {.data = VARDATA_ANY(raw),
                              .length = static_cast<int>(VARSIZE_ANY_EXHDR(raw)),
                              .infomask = infomask,
                              .infomask2 = infomask2,
                              .bits = bits_argument(bits_text, infomask, infomask2)};
    Relation rel = open_table(PG_GETARG_OID(0));
    const Datum values = split_tuple(rel, tuple, PG_GETARG_BOOL(5));
    close_table(rel);
    PG_RETURN_DATUM(values);
}

}  // extern "C"

}  // namespace glassheap::introspect
