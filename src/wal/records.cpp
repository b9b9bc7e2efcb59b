// wal/records.cpp — writing and reading the main data and rows of our records.  Pure.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"
//
#include "wal/records.hpp"

#include "base/check.hpp"

namespace glassheap::wal {

// ---- rows

RowHead head_of(const char *tuple) noexcept {
    const auto *t = reinterpret_cast<const page::TupleHead *>(tuple);
    return {t->infomask2, t->infomask, t->hoff};
}

RowHead expected_head(RowHead old_head, bool hot) noexcept {
    constexpr std::uint16_t kLayout = page::kHasNull | page::kHasVarWidth | page::kHasExternal;
    RowHead head;
    head.infomask =
        static_cast<std::uint16_t>((old_head.infomask & kLayout) | page::kUpdated | page::kXmaxInvalid);
    head.infomask2 = static_cast<std::uint16_t>((old_head.infomask2 & page::kAttributeCountMask) |
                                                (hot ? page::kHeapOnly : 0));
    head.hoff = old_head.hoff;
    return head;
}

namespace {

// First byte of a head: what may vary in an ordinary row, or kRawHead.
struct HeadBit {
    std::uint8_t packed;
    std::uint16_t infomask;
};
constexpr HeadBit kHeadBits[] = {
    {0x01, page::kHasNull},    {0x02, page::kHasVarWidth}, {0x04, page::kHasExternal},
    {0x08, page::kXminFrozen}, {0x10, page::kUpdated},
};
constexpr std::uint8_t kHeadHeapOnly = 0x20;
constexpr std::uint8_t kRawHead = 0x80;  // the three fields follow as they are
constexpr std::uint8_t kKnownHeadBits = 0x3F;

std::uint8_t expected_hoff(const RowHead &head, std::uint32_t columns) noexcept {
    const std::size_t bitmap = head.has_nulls() ? (columns + 7) / 8 : 0;
    return static_cast<std::uint8_t>(page::align_up(page::kTupleHeaderSize + bitmap));
}

RowHead unpack_head(std::uint8_t packed, std::uint32_t columns) noexcept {
    RowHead head{static_cast<std::uint16_t>(columns), page::kXmaxInvalid, 0};
    for (const HeadBit &bit : kHeadBits)
        if ((packed & bit.packed) != 0)
            head.infomask = static_cast<std::uint16_t>(head.infomask | bit.infomask);
    if ((packed & kHeadHeapOnly) != 0)
        head.infomask2 = static_cast<std::uint16_t>(head.infomask2 | page::kHeapOnly);
    head.hoff = expected_hoff(head, columns);
    return head;
}

constexpr std::uint16_t head_bits() noexcept {
    std::uint16_t all = 0;
    for (const HeadBit &bit : kHeadBits) all = static_cast<std::uint16_t>(all | bit.infomask);
    return all;
}

// Does a packed head say everything, so that unpack_head gives it back?
bool is_ordinary(const RowHead &head, std::uint32_t columns) noexcept {
    const std::uint16_t frozen = head.infomask & page::kXminFrozen;
    if ((head.infomask & ~head_bits()) != page::kXmaxInvalid) return false;
    if (frozen != 0 && frozen != page::kXminFrozen) return false;  // two bits, of which one alone is a hint
    if ((head.infomask2 & ~(page::kAttributeCountMask | page::kHeapOnly)) != 0) return false;
    return head.hoff == expected_hoff(head, columns);
}

std::uint8_t pack_head(const RowHead &head) noexcept {
    unsigned packed = (head.infomask2 & page::kHeapOnly) != 0 ? kHeadHeapOnly : 0U;
#pragma GCC unroll 8  // the table becomes constants
    for (const HeadBit &bit : kHeadBits)
        if ((head.infomask & bit.infomask) != 0) packed |= bit.packed;
    return static_cast<std::uint8_t>(packed);
}

}  // namespace

void write_head(ByteWriter &out, const RowHead &head) noexcept {
    const std::uint32_t columns = head.infomask2 & page::kAttributeCountMask;
    if (is_ordinary(head, columns)) {
        out.u8(pack_head(head));
        out.varint(columns);
        return;
    }
    out.u8(kRawHead);
    out.u16(head.infomask2);
    out.u16(head.infomask);
    out.u8(head.hoff);
}

bool read_head(ByteReader &in, RowHead *head) noexcept {
    const std::uint8_t packed = in.u8();
    // First: with a bit that is unknown here the rest may be laid out in another way.
    in.expect_only(packed, (packed & kRawHead) != 0 ? kRawHead : kKnownHeadBits);
    if ((packed & kRawHead) == 0) {
        const std::uint32_t columns = in.varint();
        if (columns > page::kAttributeCountMask) in.fail();
        *head = unpack_head(packed, columns);
        return in.ok();
    }
    head->infomask2 = in.u16();
    head->infomask = in.u16();
    head->hoff = in.u8();
    if (head->hoff < page::align_up(page::kTupleHeaderSize)) in.fail();
    return in.ok();
}

std::size_t build_tuple(char *out, const RowHead &head, std::span<const char> body, Xid xmin, Xid xmax,
                        page::RowAddress self) noexcept {
    const std::size_t length = head.body_start() + body.size();
    if (length > page::kMaxTupleSize || length < head.hoff) return 0;
    return lay_out_tuple(out, head, body, xmin, xmax, self);
}

std::size_t lay_out_tuple(char *out, const RowHead &head, std::span<const char> body, Xid xmin, Xid xmax,
                          page::RowAddress self) noexcept {
    const std::size_t start = head.body_start();
    const std::size_t length = start + body.size();
    page::TupleHead fixed{};
    fixed.xmin = xmin;
    fixed.xmax = xmax;
    fixed.cid = 0;
    fixed.ctid = self;
    fixed.infomask2 = head.infomask2;
    fixed.infomask = head.infomask;
    fixed.hoff = head.hoff;
    std::memcpy(out, &fixed, page::kTupleHeadFixed);
    std::memset(out + page::kTupleHeadFixed, 0, start - page::kTupleHeadFixed);
    if (!body.empty()) std::memcpy(out + start, body.data(), body.size());
    return length;
}

// ---- xmax marks

std::uint8_t pack_mark(std::uint16_t infomask_bits, std::uint16_t infomask2_bits) noexcept {
    unsigned packed = 0;
#pragma GCC unroll 8  // the table becomes constants: 44 instructions less for each UPDATE
    for (const MarkBit &mark : kMarkBits)
        if ((infomask_bits & mark.infomask) != 0 || (infomask2_bits & mark.infomask2) != 0)
            packed |= mark.bit;
    return static_cast<std::uint8_t>(packed);
}

page::XmaxMark unpack_mark(std::uint8_t packed, Xid xmax) noexcept {
    page::XmaxMark mark{};
    mark.xmax = xmax;
    mark.set_cid = true;
    for (const MarkBit &of : kMarkBits) {
        if ((packed & of.bit) == 0) continue;
        mark.infomask_bits = static_cast<std::uint16_t>(mark.infomask_bits | of.infomask);
        mark.infomask2_bits = static_cast<std::uint16_t>(mark.infomask2_bits | of.infomask2);
    }
    return mark;
}

// ---- main data

namespace {

// The mark's highest bit says whether flags follow.
constexpr std::uint8_t kFlagsFollow = 0x80;

void write_marked(ByteWriter &out, std::uint8_t mark, std::uint32_t flags) noexcept {
    out.u8(static_cast<std::uint8_t>(mark | (flags != 0 ? kFlagsFollow : 0)));
    if (flags != 0) out.varint(flags);
}

template <typename Flags>
void read_marked(ByteReader &in, std::uint8_t *mark, Flags *flags, Flags known) noexcept {
    *mark = in.u8();
    const std::uint32_t read = (*mark & kFlagsFollow) != 0 ? in.varint() : 0;
    in.expect_only(read, known);
    *flags = static_cast<Flags>(read & known);
    *mark = static_cast<std::uint8_t>(*mark & ~kFlagsFollow);
}

// Map bits go into a page that has two for each block: a third one would be the next block's.
std::uint8_t read_vm_bits(ByteReader &in, unsigned bits, unsigned known) noexcept {
    in.expect_only(bits, known);
    if ((bits & kVmBits) == kVmFrozenOnly) in.fail();
    return static_cast<std::uint8_t>(bits & kVmBits);
}

SlotNo read_slot(ByteReader &in) noexcept {
    const std::uint32_t slot = in.varint();
    if (slot == 0 || slot > 0xFFFFU) in.fail();
    return static_cast<SlotNo>(slot);
}

}  // namespace

void write(ByteWriter &out, const InsertRecord &r) noexcept {
    out.varint(r.slot * 2U + (r.flags != 0 ? 1U : 0U));
    if (r.flags != 0) out.u8(r.flags);
}
bool parse(ByteReader &in, InsertRecord *r) noexcept {
    const std::uint32_t head = in.varint();
    if (head < 2 || head / 2 > 0xFFFFU) in.fail();
    r->slot = static_cast<SlotNo>(head / 2);
    r->flags = (head & 1U) != 0 ? in.u8() : std::uint8_t{0};
    in.expect_only(r->flags, kInsertFlags);
    in.expect_end();
    return in.ok();
}

void write_fixed(ByteWriter &out, const MultiInsertRecord &r) noexcept {
    out.u8(r.flags);
    out.varint(r.count);
    if ((r.flags & (kInitPage | kSlotsInRow)) == kSlotsInRow) out.varint(r.first);
}
bool parse(ByteReader &in, MultiInsertRecord *r) noexcept {
    r->flags = in.u8();
    const std::uint32_t count = in.varint();
    if (count == 0 || count > static_cast<std::uint32_t>(page::kMaxTuplesPerPage)) in.fail();
    r->count = static_cast<std::uint16_t>(count);
    r->first = 1;
    r->slots_at = nullptr;
    if (!in.ok()) return false;
    if ((r->flags & (kInitPage | kSlotsInRow)) == kSlotsInRow)
        r->first = read_slot(in);
    else if ((r->flags & kInitPage) == 0)
        r->slots_at = in.bytes(r->count * sizeof(SlotNo));
    in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const RemoveRecord &r) noexcept {
    out.varint(r.slot);
    write_marked(out, r.mark, r.flags);
    if ((r.flags & kXmaxStored) != 0) out.u32(r.xmax);
}
bool parse(ByteReader &in, RemoveRecord *r) noexcept {
    r->slot = read_slot(in);
    read_marked(in, &r->mark, &r->flags, kRemoveFlags);
    r->xmax = (r->flags & kXmaxStored) != 0 ? in.u32() : kInvalidXid;
    if ((r->flags & kOldRowFlags) == 0) in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const UpdateRecord &r) noexcept {
    out.varint(r.old_slot);
    out.varint(r.new_slot);
    write_marked(out, r.mark, r.flags);
    if ((r.flags & kXmaxStored) != 0) out.u32(r.old_xmax);
    if ((r.flags & kNewXmaxStored) != 0) out.u32(r.new_xmax);
}
bool parse(ByteReader &in, UpdateRecord *r) noexcept {
    r->old_slot = read_slot(in);
    r->new_slot = read_slot(in);
    read_marked(in, &r->mark, &r->flags, kUpdateFlags);
    r->old_xmax = (r->flags & kXmaxStored) != 0 ? in.u32() : kInvalidXid;
    r->new_xmax = (r->flags & kNewXmaxStored) != 0 ? in.u32() : kInvalidXid;
    if ((r->flags & kOldRowFlags) == 0) in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const LockRecord &r) noexcept {
    out.varint(r.slot);
    write_marked(out, r.mark, r.flags);
    if ((r.flags & kXmaxStored) != 0) out.u32(r.xmax);
}
bool parse(ByteReader &in, LockRecord *r) noexcept {
    r->slot = read_slot(in);
    read_marked(in, &r->mark, &r->flags, kLockFlags);
    r->xmax = (r->flags & kXmaxStored) != 0 ? in.u32() : kInvalidXid;
    in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const ConfirmRecord &r) noexcept {
    out.varint(r.slot);
}
bool parse(ByteReader &in, ConfirmRecord *r) noexcept {
    r->slot = read_slot(in);
    in.expect_end();
    return in.ok();
}

namespace {

// The byte of a prune record that holds the VM bits says too which counts follow.
constexpr std::uint8_t kFirstPart = 0x10;  // redirected, then dead, unused, frozen
constexpr std::uint8_t kAllParts = 0xF0;
constexpr std::uint8_t kFreezesAll = 0x08;

}  // namespace

void write(ByteWriter &out, const PruneRecord &r) noexcept {
    const std::uint16_t counts[] = {r.redirected, r.dead, r.unused, r.frozen};
    GH_ASSERT((r.vm_bits & ~kVmBits) == 0);
    unsigned parts = r.vm_bits;
    if (r.freezes_all) parts |= kFreezesAll;
    for (unsigned i = 0; i < 4; ++i)
        if (counts[i] != 0) parts |= static_cast<unsigned>(kFirstPart) << i;
    out.u32(r.latest_removed_xid);
    out.u8(static_cast<std::uint8_t>(parts));
    for (const std::uint16_t count : counts)
        if (count != 0) out.varint(count);
}
bool parse(ByteReader &in, PruneRecord *r) noexcept {
    r->latest_removed_xid = in.u32();
    const std::uint8_t parts = in.u8();
    r->vm_bits = read_vm_bits(in, parts, kVmBits | kAllParts | kFreezesAll);
    r->freezes_all = (parts & kFreezesAll) != 0;
    if (r->freezes_all && (parts & kAllParts) != 0) in.fail();
    std::uint16_t *counts[] = {&r->redirected, &r->dead, &r->unused, &r->frozen};
    for (unsigned i = 0; i < 4; ++i) {
        const std::uint32_t count = (parts & (static_cast<unsigned>(kFirstPart) << i)) != 0 ? in.varint() : 0;
        if (count > static_cast<std::uint32_t>(page::kMaxTuplesPerPage)) in.fail();
        *counts[i] = static_cast<std::uint16_t>(count);
    }
    in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const VacuumRecord &r) noexcept {
    out.u32(r.latest_removed_xid);
    out.u8(r.vm_bits);
    out.varint(r.unused);
}
bool parse(ByteReader &in, VacuumRecord *r) noexcept {
    r->latest_removed_xid = in.u32();
    r->vm_bits = read_vm_bits(in, in.u8(), kVmBits);
    const std::uint32_t unused = in.varint();
    if (unused > static_cast<std::uint32_t>(page::kMaxTuplesPerPage)) in.fail();
    r->unused = static_cast<std::uint16_t>(unused);
    in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const VisibleRecord &r) noexcept {
    out.u32(r.cutoff_xid);
    out.u8(r.vm_bits);
}
bool parse(ByteReader &in, VisibleRecord *r) noexcept {
    r->cutoff_xid = in.u32();
    r->vm_bits = read_vm_bits(in, in.u8(), kVmBits);
    in.expect_end();
    return in.ok();
}

namespace {

void write_other_head(ByteWriter &out, OtherRecord what) noexcept {
    out.u8(static_cast<std::uint8_t>(what));
    out.u8(newest_format(what));
}

}  // namespace

bool parse(ByteReader &in, OtherHead *head) noexcept {
    head->what = static_cast<OtherRecord>(in.u8());
    head->format = in.u8();
    return in.ok();
}

void write(ByteWriter &out, const FsmTruncateRecord &r) noexcept {
    write_other_head(out, OtherRecord::fsm_truncate);
    out.u32(r.spc);
    out.u32(r.db);
    out.u32(r.rel);
    out.u32(r.heap_blocks);
}
bool parse(ByteReader &in, std::uint8_t format, FsmTruncateRecord *r) noexcept {
    if (format != 1) in.fail_unknown();
    r->spc = in.u32();
    r->db = in.u32();
    r->rel = in.u32();
    r->heap_blocks = in.u32();
    in.expect_end();
    return in.ok();
}

void write(ByteWriter &out, const FileEventRecord &r) noexcept {
    write_other_head(out, OtherRecord::file_event);
    out.u32(r.spc);
    out.u32(r.db);
    out.u32(r.rel);
    out.u8(static_cast<std::uint8_t>(r.what));
}
bool parse(ByteReader &in, std::uint8_t format, FileEventRecord *r) noexcept {
    if (format != 1) in.fail_unknown();
    r->spc = in.u32();
    r->db = in.u32();
    r->rel = in.u32();
    r->what = static_cast<FileEvent>(in.u8());
    if (r->what != FileEvent::handed_over && r->what != FileEvent::resolved) in.fail_unknown();
    in.expect_end();
    return in.ok();
}

// ---- rows of a multi_insert

std::size_t write_rows(char *out, std::size_t capacity, const char *const *tuples, const std::size_t *lengths,
                       int count, std::uint8_t *flags) noexcept {
    GH_ASSERT(count > 0);
    const RowHead head = head_of(tuples[0]);
    const std::size_t length = lengths[0] - head.body_start();
    bool same_head = true;
    bool same_length = true;
    for (int i = 1; i < count; ++i) {
        const RowHead other = head_of(tuples[i]);
        same_head = same_head && other == head;
        same_length = same_length && lengths[i] - other.body_start() == length;
    }
    ByteWriter w(out, capacity);
    if (same_head) write_head(w, head);
    if (same_length) w.varint(static_cast<std::uint32_t>(length));
    for (int i = 0; i < count; ++i) {
        const RowHead own = head_of(tuples[i]);
        const std::size_t body = lengths[i] - own.body_start();
        if (!same_length) w.varint(static_cast<std::uint32_t>(body));
        if (!same_head) write_head(w, own);
        w.bytes(tuples[i] + own.body_start(), body);
    }
    *flags =
        static_cast<std::uint8_t>(*flags | (same_head ? kSameHead : 0) | (same_length ? kSameLength : 0));
    return w.size();
}

RowReader::RowReader(ByteReader in, std::uint8_t flags) noexcept : in_(in), flags_(flags) {
    if ((flags_ & kSameHead) != 0) read_head(in_, &head_);
    if ((flags_ & kSameLength) != 0) length_ = in_.varint();
}

bool RowReader::next(LoggedRow *row) noexcept {
    if ((flags_ & kSameLength) == 0) length_ = in_.varint();
    if ((flags_ & kSameHead) == 0) read_head(in_, &head_);
    row->head = head_;
    const char *body = in_.bytes(length_);
    if (body == nullptr) return false;
    row->body = {body, length_};
    return in_.ok();
}

// ---- the new row of an update

bool parse_update_data(ByteReader in, const UpdateRecord &r, const RowHead &old_head, bool hot,
                       LoggedUpdate *out) noexcept {
    if ((r.flags & kHeadStored) != 0)
        read_head(in, &out->head);
    else
        out->head = expected_head(old_head, hot);
    out->prefix = out->suffix = 0;
    if ((r.flags & kBodyStored) == 0) {
        out->prefix = in.varint();
        out->suffix = in.varint();
    }
    out->middle = {in.rest(), in.left()};
    return in.ok();
}

std::size_t build_update_body(char *out, const LoggedUpdate &u, std::span<const char> old_body) noexcept {
    if (u.prefix + u.suffix > old_body.size()) return 0;
    const std::size_t length = u.prefix + u.middle.size() + u.suffix;
    if (length > page::kMaxTupleSize) return 0;
    if (u.prefix != 0) std::memcpy(out, old_body.data(), u.prefix);
    if (!u.middle.empty()) std::memcpy(out + u.prefix, u.middle.data(), u.middle.size());
    if (u.suffix != 0)
        std::memcpy(out + u.prefix + u.middle.size(), old_body.data() + old_body.size() - u.suffix, u.suffix);
    return length;
}

}  // namespace glassheap::wal
