// wal/records.hpp — what every WAL record of ours says, and how it is written down.  Pure.
//
// Why:    one definition for emit, redo, describe, decode and unit tests.  WAL is the dearest thing a short
//         transaction pays for, so what follows from the record's own xid, from the old row on the same page
//         or from the block reference is left out, and the rest is packed (wal/pack.hpp).
//
// Block references: 0 the (new) heap page; 1 the old heap page of an update when it differs; 2 the VM page
//         of block 0's page; 3 the VM page of block 1's page when that is another VM page.  VM pages live
//         in shared_buffers and are replayed there (clear_vm_bits, set_vm_bits of redo/redo_support.hpp).
//         hint_image: 0 the page; new_pages: 0.. the pages.
//
// clang-format off: the layouts are a table
//   record          main data                                          data of block 0
//   insert(_init)   slot+f [flags1]                                    head body
//   multi_insert    flags1 count [first | slot2 x count]               rows: MultiInsertRecord
//                   (kInitPage: neither first nor slots)
//   remove          slot mark+f [flags] [xmax4] [old key or row]       -
//   (hot_)update    old new mark+f [flags] [xmax4] [newxmax4]          [head] [prefix suffix] bytes
//                   [old key or row]
//   lock            slot mark+f [flags] [xmax4]                        -
//   confirm         slot                                               -
//   prune           xid4 parts1 [redirected] [dead] [unused] [frozen]  redirects, dead, unused, freeze groups
//                   (or none of these: parts say that all rows freeze)
//   vacuum          xid4 bits1 unused                                  unused
//   visible         xid4 bits1                                         -
//   hint_image      -                                                  image
//   new_pages       -                                                  image, and of each further block
//   other           what1 format1, then                                (no block)
//     fsm_truncate  spc4 db4 rel4 blocks4
//     file_event    spc4 db4 rel4 event1
//   (digits: bytes; no digit: varint or coded as in pack.hpp; [x]: there if a flag says so; old key or row:
//   head body; +f: with one bit that says that flags follow, which the usual record does without)
//
// clang-format on
//
// A row is written as head and body.  The head (infomask2, infomask, hoff) takes two bytes when it looks as
// one would expect (write_head).  The body starts at byte 23 of the tuple, or, when there is no null bitmap,
// at hoff: what lies between is zero.
//
// Invariants: wal.R1 every page change carries a block reference (pg_rewind, incremental backup).
//         wal.R2 no record uses XLR_SPECIAL_REL_UPDATE.
//         wal.R3 parse returns false for what write cannot have written, as far as lengths, counts and slots
//            tell; for every flag, bit and byte that this version does not know; and for bytes left over.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <span>

#include "page/layout.hpp"
#include "page/page_edit.hpp"
#include "wal/pack.hpp"

namespace glassheap::wal {

// In the experimental range, until a reserved id is assigned (design.D15).
inline constexpr std::uint8_t kRmgrId = 128;

enum class RecordType : std::uint8_t {  // the high four bits of xl_info
    insert = 0x00,
    multi_insert = 0x10,
    remove = 0x20,
    update = 0x30,
    hot_update = 0x40,
    lock = 0x50,         // row lock, also on later versions of an update chain
    confirm = 0x60,      // speculative insertion succeeded
    prune = 0x70,        // prune and/or freeze and/or set VM bits of one page
    vacuum = 0x80,       // dead line pointers become unused; may set VM bits
    visible = 0x90,      // VM bits only
    hint_image = 0xA0,   // full image of a page whose hint bits (or FSM bytes) changed
    new_pages = 0xB0,    // full images of new pages (rewrite, copy)
    other = 0xC0,        // whatever its first byte says: OtherRecord
    insert_init = 0xD0,  // insert into a page that starts empty
    // 0xE0 and 0xF0 are free.
};

// Room to grow.  A change that belongs to no type above, or another layout of one, gets a number here and
// starts with a format of 1; the layout of a number and format never changes again, nor does that of the
// types above.  Who reads a number or format that he does not know has WAL of a newer glassheap before him
// and must refuse (wal/judge.hpp).
enum class OtherRecord : std::uint8_t {
    fsm_truncate = 1,  // FSM part of a truncation (the rest is core's XLOG_SMGR_TRUNCATE)
    file_event = 2,    // a file as a whole changed hands
};
// The format that is written; all before it are read too.  0: not a subtype of this version's.
constexpr std::uint8_t newest_format(OtherRecord what) noexcept {
    switch (what) {
        case OtherRecord::fsm_truncate:
            return 1;
        case OtherRecord::file_event:
            return 1;
    }
    return 0;
}
constexpr bool is_read(std::uint8_t format, std::uint8_t newest) noexcept {
    return format >= 1 && format <= newest;
}
// Subtypes from here on never have rows, in any format: decoding passes over those that it does not know.
inline constexpr std::uint8_t kFirstWithoutRows = 0x80;
struct OtherHead {
    OtherRecord what;
    std::uint8_t format;
    bool is_known() const noexcept { return is_read(format, newest_format(what)); }
    bool never_has_rows() const noexcept { return static_cast<std::uint8_t>(what) >= kFirstWithoutRows; }
};

// Block reference numbers.
inline constexpr std::uint8_t kPageRef = 0;
inline constexpr std::uint8_t kOldPageRef = 1;
inline constexpr std::uint8_t kVmRef = 2;
inline constexpr std::uint8_t kOldVmRef = 3;

// RowHead: what cannot be derived of a tuple's header.
struct RowHead {
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t hoff;

    bool has_nulls() const noexcept { return (infomask & page::kHasNull) != 0; }
    std::size_t body_start() const noexcept { return has_nulls() ? page::kTupleHeadFixed : hoff; }
    friend bool operator==(const RowHead &, const RowHead &) = default;
};
inline constexpr std::size_t kRowHeadMax = 6;
RowHead head_of(const char *tuple) noexcept;
// The head an updated row gets when nothing special happens to it: the old row's layout bits, no xmax.
RowHead expected_head(RowHead old_head, bool hot) noexcept;
void write_head(ByteWriter &out, const RowHead &head) noexcept;
bool read_head(ByteReader &in, RowHead *head) noexcept;
// The tuple of `head` and body, its own ctid `self`, cid 0.  `out`: kPageSize bytes.  Returns its length, 0
// when it could not be a tuple.
std::size_t build_tuple(char *out, const RowHead &head, std::span<const char> body, Xid xmin, Xid xmax,
                        page::RowAddress self) noexcept;
// The same without a limit, for tuples that need not fit a page: the old key or row for logical decoding has
// its out-of-line values inside.  `out`: head.body_start() + body.size() bytes.
std::size_t lay_out_tuple(char *out, const RowHead &head, std::span<const char> body, Xid xmin, Xid xmax,
                          page::RowAddress self) noexcept;

// An XmaxMark's bits in one byte, with their names in descriptions.
struct MarkBit {
    std::uint8_t bit;
    std::uint16_t infomask;
    std::uint16_t infomask2;
    const char *name;
};
inline constexpr MarkBit kMarkBits[] = {
    {.bit = 0x01, .infomask = page::kXmaxIsMulti, .infomask2 = 0, .name = "IS_MULTI"},
    {.bit = 0x02, .infomask = page::kXmaxLockOnly, .infomask2 = 0, .name = "LOCK_ONLY"},
    {.bit = 0x04, .infomask = page::kXmaxExclLock, .infomask2 = 0, .name = "EXCL_LOCK"},
    {.bit = 0x08, .infomask = page::kXmaxKeyShareLock, .infomask2 = 0, .name = "KEYSHR_LOCK"},
    {.bit = 0x10, .infomask = page::kXmaxCommitted, .infomask2 = 0, .name = "COMMITTED"},
    {.bit = 0x20, .infomask = page::kXmaxInvalid, .infomask2 = 0, .name = "INVALID"},
    {.bit = 0x40, .infomask = 0, .infomask2 = page::kKeysUpdated, .name = "KEYS_UPDATED"},
};
std::uint8_t pack_mark(std::uint16_t infomask_bits, std::uint16_t infomask2_bits) noexcept;
page::XmaxMark unpack_mark(std::uint8_t packed, Xid xmax) noexcept;  // cid 0, set

// flags shared by several records
inline constexpr std::uint8_t kClearVm = 0x01;           // block 0's page loses all-visible; kVmRef
inline constexpr std::uint8_t kContainsNewTuple = 0x02;  // decodable at wal_level=logical
inline constexpr std::uint8_t kContainsOldKey = 0x04;
inline constexpr std::uint8_t kContainsOldTuple = 0x08;
inline constexpr std::uint8_t kXmaxStored = 0x10;  // xmax is not the record's xid
// insert
inline constexpr std::uint8_t kIsSpeculative = 0x20;
inline constexpr std::uint8_t kOnToastRelation = 0x40;
// multi_insert
inline constexpr std::uint8_t kSlotsInRow = 0x04;    // first slot only
inline constexpr std::uint8_t kInitPage = 0x08;      // the page starts empty: slots 1, 2, 3 ...
inline constexpr std::uint8_t kLastInMulti = 0x10;   // last of its command
inline constexpr std::uint8_t kAllFrozenSet = 0x20;  // COPY FREEZE: sets both VM bits (kVmRef)
inline constexpr std::uint8_t kSameHead = 0x40;      // one head for all rows
inline constexpr std::uint8_t kSameLength = 0x80;    // one body length for all rows
// remove
inline constexpr std::uint8_t kPartitionMove = 0x20;
inline constexpr std::uint8_t kSpeculativeAbort = 0x40;
// update; without the last two: the head is expected_head(old row), the body's ends are the old row's
inline constexpr std::uint16_t kNewXmaxStored = 0x20;  // the new version is locked already
inline constexpr std::uint16_t kClearVmOld = 0x40;  // block 1's page loses all-visible; kOldVmRef, or kVmRef
inline constexpr std::uint16_t kHeadStored = 0x80;
inline constexpr std::uint16_t kBodyStored = 0x100;
// lock; without the last: ctid points to the row itself, and it is not HOT updated
inline constexpr std::uint8_t kClearFrozen = 0x02;  // clear the all-frozen bit (kVmRef)
inline constexpr std::uint8_t kChainKept = 0x04;
// prune, vacuum, visible: the bits of a visibility map; all-frozen is never without all-visible
inline constexpr std::uint8_t kVmBits = 0x03;
inline constexpr std::uint8_t kVmFrozenOnly = 0x02;

// All that this version knows of each: parse refuses the others.  Those of multi_insert are all taken.
inline constexpr std::uint8_t kOldRowFlags = kContainsOldKey | kContainsOldTuple;
inline constexpr std::uint8_t kInsertFlags = kClearVm | kContainsNewTuple | kIsSpeculative | kOnToastRelation;
inline constexpr std::uint8_t kRemoveFlags =
    kClearVm | kOldRowFlags | kXmaxStored | kPartitionMove | kSpeculativeAbort;
inline constexpr std::uint16_t kUpdateFlags = kClearVm | kContainsNewTuple | kOldRowFlags | kXmaxStored |
                                              kNewXmaxStored | kClearVmOld | kHeadStored | kBodyStored;
inline constexpr std::uint8_t kLockFlags = kClearFrozen | kChainKept | kXmaxStored;

struct InsertRecord {
    SlotNo slot;
    std::uint8_t flags;
};
// Rows: [head if kSameHead] [length if kSameLength], then per row [length] [head] body.
struct MultiInsertRecord {
    std::uint8_t flags = 0;
    std::uint16_t count;
    SlotNo first;                    // with kSlotsInRow, or kInitPage
    const char *slots_at = nullptr;  // else: their (unaligned) bytes in the record
    SlotNo slot(int i) const noexcept {
        if (slots_at == nullptr) return static_cast<SlotNo>(first + i);
        SlotNo s;
        std::memcpy(&s, slots_at + static_cast<std::size_t>(i) * sizeof s, sizeof s);
        return s;
    }
};
struct RemoveRecord {
    SlotNo slot;
    std::uint8_t mark;
    std::uint8_t flags;
    Xid xmax;  // kInvalidXid unless kXmaxStored
};
struct UpdateRecord {
    SlotNo old_slot;
    SlotNo new_slot;
    std::uint8_t mark;
    std::uint16_t flags;
    Xid old_xmax;  // kInvalidXid unless kXmaxStored
    Xid new_xmax;  // kInvalidXid unless kNewXmaxStored
};
struct LockRecord {
    SlotNo slot;
    std::uint8_t mark;
    std::uint8_t flags;
    Xid xmax;
};
struct ConfirmRecord {
    SlotNo slot;
};
struct PruneRecord {
    Xid latest_removed_xid;  // conflict horizon; kInvalidXid if none
    std::uint8_t vm_bits;    // bits set on kVmRef (also sets PD_ALL_VISIBLE); 0: VM untouched
    std::uint16_t redirected;
    std::uint16_t dead;
    std::uint16_t unused;
    std::uint16_t frozen;
    bool freezes_all = false;  // the xmin of every row of the page; then no counts
    // Freezing and VM bits move no tuple.
    bool needs_cleanup() const noexcept { return redirected + dead + unused > 0; }
};
struct VacuumRecord {
    Xid latest_removed_xid;  // conflict horizon of the VM bits
    std::uint8_t vm_bits;
    std::uint16_t unused;
};
struct VisibleRecord {
    Xid cutoff_xid;
    std::uint8_t vm_bits;
};
struct FsmTruncateRecord {
    std::uint32_t spc;
    std::uint32_t db;
    std::uint32_t rel;
    BlockNo heap_blocks;
};
// What became of a relation's file (design.D17).
enum class FileEvent : std::uint8_t {
    handed_over = 1,  // a table that is not ours has it now: core reads and writes it
    resolved = 2,     // it was in two pools, and one version was chosen
};
struct FileEventRecord {
    std::uint32_t spc;
    std::uint32_t db;
    std::uint32_t rel;
    FileEvent what;
};

inline constexpr std::size_t kMainDataMax = 32;  // of all records but multi_insert and old keys

void write(ByteWriter &out, const InsertRecord &r) noexcept;
void write(ByteWriter &out, const RemoveRecord &r) noexcept;
void write(ByteWriter &out, const UpdateRecord &r) noexcept;
void write(ByteWriter &out, const LockRecord &r) noexcept;
void write(ByteWriter &out, const ConfirmRecord &r) noexcept;
void write(ByteWriter &out, const PruneRecord &r) noexcept;
void write(ByteWriter &out, const VacuumRecord &r) noexcept;
void write(ByteWriter &out, const VisibleRecord &r) noexcept;
void write(ByteWriter &out, const FsmTruncateRecord &r) noexcept;
void write(ByteWriter &out, const FileEventRecord &r) noexcept;
// multi_insert: the fixed part; the slots, if needed, are registered behind it.
void write_fixed(ByteWriter &out, const MultiInsertRecord &r) noexcept;
// An `other` record's head and what follows it (write: both).
bool parse(ByteReader &in, OtherHead *head) noexcept;

// What is left in `in` after remove and update, with kOldRowFlags, is the old key or row (head, body).
bool parse(ByteReader &in, InsertRecord *r) noexcept;
bool parse(ByteReader &in, RemoveRecord *r) noexcept;
bool parse(ByteReader &in, UpdateRecord *r) noexcept;
bool parse(ByteReader &in, LockRecord *r) noexcept;
bool parse(ByteReader &in, ConfirmRecord *r) noexcept;
bool parse(ByteReader &in, PruneRecord *r) noexcept;
bool parse(ByteReader &in, VacuumRecord *r) noexcept;
bool parse(ByteReader &in, VisibleRecord *r) noexcept;
bool parse(ByteReader &in, MultiInsertRecord *r) noexcept;
// The subtypes, in the format that the head says.
bool parse(ByteReader &in, std::uint8_t format, FsmTruncateRecord *r) noexcept;
bool parse(ByteReader &in, std::uint8_t format, FileEventRecord *r) noexcept;

// Rows of a multi_insert.
std::size_t write_rows(char *out, std::size_t capacity, const char *const *tuples, const std::size_t *lengths,
                       int count, std::uint8_t *flags) noexcept;
struct LoggedRow {
    RowHead head;
    std::span<const char> body;
};
class RowReader {
public:
    RowReader(ByteReader in, std::uint8_t flags) noexcept;
    bool next(LoggedRow *row) noexcept;  // false: damaged
    bool at_end() const noexcept { return in_.ok() && in_.left() == 0; }
    const ByteReader &reader() const noexcept { return in_; }

private:
    ByteReader in_;
    std::uint8_t flags_;
    RowHead head_{};
    std::uint32_t length_ = 0;
};

// The rows of an update: what block 0's data of an update says, given the old row when it is at hand.
struct LoggedUpdate {
    RowHead head;
    std::size_t prefix;
    std::size_t suffix;
    std::span<const char> middle;
};
// `old_head` and `old_body_length` are used only where the flags ask for the old row.
bool parse_update_data(ByteReader in, const UpdateRecord &r, const RowHead &old_head, bool hot,
                       LoggedUpdate *out) noexcept;
// Puts the body together; returns its length, 0 when the old row is too short for it.  `out`: kPageSize
// bytes.
std::size_t build_update_body(char *out, const LoggedUpdate &u, std::span<const char> old_body) noexcept;

}  // namespace glassheap::wal
