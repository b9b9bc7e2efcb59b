// verify/verify_values.cpp — the attributes of a tuple, and the TOAST values they point to.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "verify/verify.hpp"

namespace glassheap::verify {

namespace {

constexpr std::int32_t kVarlenaLimit = 0x3FFFFFFF;  // a value of 1 GB less one byte

// ---- within the tuple

struct Cursor {
    const char *data;  // the tuple's user data
    unsigned length;
    unsigned offset;
};

bool past_end(Verifier *v, const Cursor &cursor, unsigned hoff, const char *what) {
    if (cursor.offset <= cursor.length) return false;
    report_damage(v, "attribute %s at byte %u, beyond the tuple's length %u", what, hoff + cursor.offset,
                  hoff + cursor.length);
    return true;
}

// Bytes of the variable-length value at the cursor; 0 when that cannot be said (reported).
unsigned varlena_size(Verifier *v, const Cursor &cursor, unsigned hoff) {
    const char *at = cursor.data + cursor.offset;
    const unsigned left = cursor.length - cursor.offset;
    if (left == 0) {
        report_damage(v, "attribute begins at byte %u, where the tuple ends", hoff + cursor.offset);
        return 0;
    }
    if (VARATT_IS_EXTERNAL(at)) {
        const unsigned tag = left >= 2 ? VARTAG_EXTERNAL(at) : 0U;
        if (tag == VARTAG_ONDISK) return VARHDRSZ_EXTERNAL + sizeof(varatt_external);
        report_damage(v, "TOAST pointer has tag %u instead of %u", tag, unsigned{VARTAG_ONDISK});
        return 0;
    }
    if (VARATT_IS_1B(at)) return VARSIZE_1B(at);
    std::uint32_t word = 0;
    if (left < sizeof word) {
        report_damage(v, "attribute's length word at byte %u is cut off by the tuple's end",
                      hoff + cursor.offset);
        return 0;
    }
    std::memcpy(&word, at, sizeof word);
    const unsigned size = (word >> 2) & 0x3FFFFFFF;
    const bool compressed = (word & 3U) == 2;
    if (size >= (compressed ? VARHDRSZ_COMPRESSED : VARHDRSZ)) return size;
    report_damage(v, "attribute has length %u, less than its own length word", size);
    return 0;
}

void verify_toast_pointer(Verifier *v, const char *at, const page::TupleHead &head, bool may_be_cleaned_up) {
    varatt_external pointer;
    std::memcpy(&pointer, at + VARHDRSZ_EXTERNAL, sizeof pointer);
    const Oid value = pointer.va_valueid;
    if (pointer.va_rawsize > kVarlenaLimit || pointer.va_rawsize < static_cast<std::int32_t>(VARHDRSZ))
        report_damage(v, "TOAST value %u has a raw size of %d, outside %zu to %d", value, pointer.va_rawsize,
                      static_cast<std::size_t>(VARHDRSZ), kVarlenaLimit);
    // VARATT_EXTERNAL_IS_COMPRESSED without its comparison of different signs.
    const auto plain_size = static_cast<std::uint32_t>(pointer.va_rawsize) - VARHDRSZ;
    if (VARATT_EXTERNAL_GET_EXTSIZE(pointer) < plain_size) {
        const unsigned method = VARATT_EXTERNAL_GET_COMPRESS_METHOD(pointer);
        if (method != TOAST_PGLZ_COMPRESSION_ID && method != TOAST_LZ4_COMPRESSION_ID)
            report_damage(v, "TOAST value %u has the unknown compression method %u", value, method);
    }
    if ((head.infomask & page::kHasExternal) == 0)
        report_damage(v, "TOAST value %u is external, but the tuple is not marked to have external values",
                      value);
    const Oid table = v->rel->rd_rel->reltoastrelid;
    if (!OidIsValid(table)) {
        report_damage(v, "TOAST value %u is external, but the table has no TOAST table", value);
        return;
    }
    if (pointer.va_toastrelid != table) {
        report_damage(v, "TOAST value %u is said to be in table %u, but the table's TOAST table is %u", value,
                      pointer.va_toastrelid, table);
        return;
    }
    if (v->toast != nullptr && !may_be_cleaned_up) v->pending.push_back({pointer, v->slot, v->attribute});
}

// False: nobody knows where the next attribute begins.
bool verify_attribute(Verifier *v, Cursor *cursor, const page::TupleHead &head, bool may_be_cleaned_up) {
    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(v->rel), v->attribute);
    if (past_end(v, *cursor, head.hoff, "begins")) return false;
    if (column->attlen != -1) {
        cursor->offset = static_cast<unsigned>(att_align_nominal(cursor->offset, column->attalign));
        if (past_end(v, *cursor, head.hoff, "begins")) return false;
        unsigned size = static_cast<unsigned>(column->attlen);
        if (column->attlen == -2) {
            const void *end = std::memchr(cursor->data + cursor->offset, 0, cursor->length - cursor->offset);
            size = end == nullptr ? cursor->length - cursor->offset + 1
                                  : static_cast<unsigned>(static_cast<const char *>(end) -
                                                          (cursor->data + cursor->offset)) +
                                        1;
        }
        cursor->offset += size;
        return !past_end(v, *cursor, head.hoff, "ends");
    }
    if (cursor->offset < cursor->length && cursor->data[cursor->offset] == 0)
        cursor->offset = static_cast<unsigned>(att_align_nominal(cursor->offset, column->attalign));
    if (past_end(v, *cursor, head.hoff, "begins")) return false;
    const unsigned size = varlena_size(v, *cursor, head.hoff);
    if (size == 0) return false;
    const char *at = cursor->data + cursor->offset;
    cursor->offset += size;
    if (past_end(v, *cursor, head.hoff, "ends")) return false;
    if (VARATT_IS_EXTERNAL(at)) verify_toast_pointer(v, at, head, may_be_cleaned_up);
    return true;
}

// ---- in the TOAST table

struct ToastWalk {
    std::int32_t expected;  // next chunk number
    std::int32_t last;
    std::uint32_t size;  // of the whole value
};

std::int32_t chunk_payload(Verifier *v, const ToastPointer &toast, std::int32_t number, varlena *chunk) {
    if (!VARATT_IS_EXTENDED(chunk)) return static_cast<std::int32_t>(VARSIZE(chunk) - VARHDRSZ);
    if (VARATT_IS_SHORT(chunk)) return static_cast<std::int32_t>(VARSIZE_SHORT(chunk) - VARHDRSZ_SHORT);
    report_damage(v, "TOAST value %u has chunk %d that is itself compressed or external",
                  toast.pointer.va_valueid, number);
    return -1;
}

void verify_chunk(Verifier *v, const ToastPointer &toast, HeapTuple tuple, ToastWalk *walk) {
    const Oid value = toast.pointer.va_valueid;
    bool null;
    const auto number = DatumGetInt32(fastgetattr(tuple, 2, RelationGetDescr(v->toast), &null));
    if (null) {
        report_damage(v, "TOAST value %u has a chunk without a number", value);
        return;
    }
    if (number != walk->expected)
        report_damage(v, "TOAST value %u goes on with chunk %d instead of %d", value, number, walk->expected);
    walk->expected = number + 1;
    const Datum chunk = fastgetattr(tuple, 3, RelationGetDescr(v->toast), &null);
    if (null) {
        report_damage(v, "TOAST value %u has chunk %d without data", value, number);
        return;
    }
    if (number > walk->last || number < 0) {
        report_damage(v, "TOAST value %u has chunk %d, but its last should be %d", value, number, walk->last);
        return;
    }
    const std::int32_t size =
        chunk_payload(v, toast, number, reinterpret_cast<varlena *>(DatumGetPointer(chunk)));
    const auto chunk_max = static_cast<std::int32_t>(TOAST_MAX_CHUNK_SIZE);
    const std::int32_t wanted =
        number < walk->last ? chunk_max : static_cast<std::int32_t>(walk->size) - walk->last * chunk_max;
    if (size >= 0 && size != wanted)
        report_damage(v, "TOAST value %u has chunk %d of %d bytes instead of %d", value, number, size,
                      wanted);
}

void verify_toast_value(Verifier *v, const ToastPointer &toast) {
    v->slot = toast.slot;
    v->attribute = toast.attribute;
    const std::uint32_t size = VARATT_EXTERNAL_GET_EXTSIZE(toast.pointer);
    ToastWalk walk = {0,
                      static_cast<std::int32_t>((static_cast<std::int64_t>(size) - 1) /
                                                static_cast<std::int64_t>(TOAST_MAX_CHUNK_SIZE)),
                      size};
    ScanKeyData key;
    ::ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(toast.pointer.va_valueid));
    SnapshotData snapshot;
    ::init_toast_snapshot(&snapshot);
    SysScanDesc scan = ::systable_beginscan_ordered(v->toast, v->toast_index, &snapshot, 1, &key);
    bool found = false;
    while (HeapTuple tuple = ::systable_getnext_ordered(scan, ForwardScanDirection)) {
        CHECK_FOR_INTERRUPTS();
        found = true;
        verify_chunk(v, toast, tuple, &walk);
    }
    ::systable_endscan_ordered(scan);
    if (!found)
        report_damage(v, "TOAST value %u is not in the TOAST table", toast.pointer.va_valueid);
    else if (walk.expected <= walk.last)
        report_damage(v, "TOAST value %u ends before chunk %d, its last should be %d",
                      toast.pointer.va_valueid, walk.expected, walk.last);
}

}  // namespace

void verify_attributes(Verifier *v, bool may_be_cleaned_up) {
    const page::TupleHead &head = v->view().tuple(v->slot);
    const char *tuple = v->view().tuple_bytes(v->slot);
    const unsigned length = v->view().line(v->slot).length();
    Cursor cursor = {tuple + head.hoff, length - head.hoff, 0};
    const auto *bits = reinterpret_cast<const bits8 *>(tuple + page::kTupleHeadFixed);
    const bool nulls = (head.infomask & page::kHasNull) != 0;
    const int count = head.infomask2 & page::kAttributeCountMask;
    for (int i = 0; i < count; ++i) {
        v->attribute = i;
        if (nulls && att_isnull(i, bits)) continue;
        if (!verify_attribute(v, &cursor, head, may_be_cleaned_up)) break;
    }
    v->attribute = -1;
}

void verify_pending_toast(Verifier *v) {
    for (const ToastPointer &toast : v->pending) verify_toast_value(v, toast);
    v->pending.clear();
    v->slot = kInvalidSlot;
    v->attribute = -1;
}

}  // namespace glassheap::verify
