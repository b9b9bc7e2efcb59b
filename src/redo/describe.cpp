// redo/describe.cpp — our records in words: pg_walinspect, error contexts, wal_debug.
//
// Why:    `key: value` pairs, every field by name, so that they can be parsed.  pg_waldump knows no extension
//         and prints custom128 only.
// Errors: never: a damaged record is described as such, and so is one of a newer version.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include "pg/pg_recovery.hpp"
#include "redo/redo_support.hpp"
#include "redo/rmgr_callbacks.hpp"

namespace glassheap::redo {

using namespace wal;  // the records are this room's vocabulary

namespace {

struct FlagName {
    std::uint8_t bit;
    const char *name;
};

// ", key: [A, B]": those of `names` whose bit is set.
template <typename Name, std::size_t N>
void describe_bits(StringInfo buf, const char *key, std::uint8_t bits, const Name (&names)[N]) {
    ::appendStringInfo(buf, ", %s: [", key);
    const char *separator = "";
    for (const Name &name : names) {
        if ((bits & name.bit) == 0) continue;
        ::appendStringInfo(buf, "%s%s", separator, name.name);
        separator = ", ";
    }
    ::appendStringInfoChar(buf, ']');
}

void describe_mark(StringInfo buf, std::uint8_t mark) {
    describe_bits(buf, "infobits", mark, kMarkBits);
}

void describe_slots(StringInfo buf, const char *key, const SlotNo *slots, int count) {
    ::appendStringInfo(buf, ", %s: [", key);
    for (int i = 0; i < count; ++i) ::appendStringInfo(buf, "%s%u", i == 0 ? "" : ", ", slots[i]);
    ::appendStringInfoChar(buf, ']');
}

void describe_vm_bits(StringInfo buf, std::uint8_t bits) {
    ::appendStringInfo(buf, ", vm_bits: 0x%02X", bits);
}

Xid record_xid_or(XLogReaderState *record, std::uint8_t flags, Xid stored) {
    return (flags & kXmaxStored) != 0 ? stored : XLogRecGetXid(record);
}

bool describe_insert(StringInfo buf, XLogReaderState *record) {
    InsertRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "off: %u", r.slot);
    static constexpr FlagName kNames[] = {{kClearVm, "CLEAR_VM"},
                                          {kContainsNewTuple, "CONTAINS_NEW_TUPLE"},
                                          {kIsSpeculative, "SPECULATIVE"},
                                          {kOnToastRelation, "ON_TOAST_RELATION"}};
    describe_bits(buf, "flags", r.flags, kNames);
    return true;
}

bool describe_multi_insert(StringInfo buf, XLogReaderState *record) {
    MultiInsertRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "ntuples: %u", r.count);
    static constexpr FlagName kNames[] = {
        {kClearVm, "CLEAR_VM"},          {kContainsNewTuple, "CONTAINS_NEW_TUPLE"},
        {kLastInMulti, "LAST_IN_MULTI"}, {kAllFrozenSet, "ALL_FROZEN"},
        {kSameHead, "SAME_HEAD"},        {kSameLength, "SAME_LENGTH"},
        {kInitPage, "INIT_PAGE"}};
    describe_bits(buf, "flags", r.flags, kNames);
    ::appendStringInfoString(buf, ", offsets: [");
    if (r.slots_at == nullptr) {
        ::appendStringInfo(buf, "%u..%u", r.first, r.first + r.count - 1);
    } else {
        for (int i = 0; i < r.count; ++i) ::appendStringInfo(buf, "%s%u", i == 0 ? "" : ", ", r.slot(i));
    }
    ::appendStringInfoChar(buf, ']');
    return true;
}

bool describe_remove(StringInfo buf, XLogReaderState *record) {
    RemoveRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "xmax: %u, off: %u", record_xid_or(record, r.flags, r.xmax), r.slot);
    describe_mark(buf, r.mark);
    static constexpr FlagName kNames[] = {{kClearVm, "CLEAR_VM"},
                                          {kContainsOldKey, "CONTAINS_OLD_KEY"},
                                          {kContainsOldTuple, "CONTAINS_OLD_TUPLE"},
                                          {kPartitionMove, "PARTITION_MOVE"},
                                          {kSpeculativeAbort, "SPECULATIVE_ABORT"}};
    describe_bits(buf, "flags", r.flags, kNames);
    return true;
}

// Prefix and suffix, when block 0's data is there to tell.
void describe_delta(StringInfo buf, XLogReaderState *record, const UpdateRecord &r) {
    if ((r.flags & kBodyStored) != 0) return;
    ByteReader data = block_data(record, kPageRef);
    if (data.left() == 0) return;
    LoggedUpdate logged;
    // The old row's head is not needed for the lengths.
    if (!parse_update_data(data, r, RowHead{0, 0, page::align_up(page::kTupleHeaderSize)}, false, &logged))
        return;
    ::appendStringInfo(buf, ", prefix: %zu, suffix: %zu", logged.prefix, logged.suffix);
}

bool describe_update(StringInfo buf, XLogReaderState *record) {
    UpdateRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "old_xmax: %u, old_off: %u", record_xid_or(record, r.flags, r.old_xmax),
                       r.old_slot);
    describe_mark(buf, r.mark);
    static constexpr FlagName kNames[] = {{kClearVm, "CLEAR_VM"},
                                          {kClearVmOld, "CLEAR_VM_OLD"},
                                          {kContainsNewTuple, "CONTAINS_NEW_TUPLE"},
                                          {kContainsOldKey, "CONTAINS_OLD_KEY"},
                                          {kContainsOldTuple, "CONTAINS_OLD_TUPLE"}};
    describe_bits(buf, "flags", static_cast<std::uint8_t>(r.flags), kNames);
    ::appendStringInfo(buf, ", head: %s", (r.flags & kHeadStored) != 0 ? "stored" : "from_old");
    describe_delta(buf, record, r);
    if ((XLogRecGetBlock(record, kPageRef)->flags & BKPBLOCK_WILL_INIT) != 0)
        ::appendStringInfoString(buf, ", init: true");
    ::appendStringInfo(buf, ", new_xmax: %u, new_off: %u", r.new_xmax, r.new_slot);
    return true;
}

bool describe_lock(StringInfo buf, XLogReaderState *record) {
    LockRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "xmax: %u, off: %u", record_xid_or(record, r.flags, r.xmax), r.slot);
    describe_mark(buf, r.mark);
    static constexpr FlagName kNames[] = {{kClearFrozen, "CLEAR_FROZEN"}, {kChainKept, "CHAIN_KEPT"}};
    describe_bits(buf, "flags", r.flags, kNames);
    return true;
}

bool describe_confirm(StringInfo buf, XLogReaderState *record) {
    ConfirmRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "off: %u", r.slot);
    return true;
}

void describe_redirects(StringInfo buf, const page::Redirect *redirects, int count) {
    ::appendStringInfoString(buf, ", redirected: [");
    for (int i = 0; i < count; ++i)
        ::appendStringInfo(buf, "%s%u->%u", i == 0 ? "" : ", ", redirects[i].from, redirects[i].to);
    ::appendStringInfoChar(buf, ']');
}

void describe_plans(StringInfo buf, const page::FreezePlan *plans, int count) {
    ::appendStringInfoString(buf, ", plans: [");
    for (int i = 0; i < count; ++i)
        ::appendStringInfo(buf, "%s{ xmax: %u, infomask: 0x%04X, infomask2: 0x%04X, flags: 0x%02X, off: %u }",
                           i == 0 ? "" : ", ", plans[i].xmax, plans[i].infomask, plans[i].infomask2,
                           plans[i].flags, plans[i].slot);
    ::appendStringInfoChar(buf, ']');
}

// The arrays, unless an image took their place in the record.
bool describe_prune_data(StringInfo buf, ByteReader data, const PruneRecord &r) {
    page::Redirect redirects[page::kMaxTuplesPerPage];
    SlotNo slots[page::kMaxTuplesPerPage];
    page::FreezePlan plans[page::kMaxTuplesPerPage];
    if (!read_redirects(data, redirects, r.redirected)) return false;
    describe_redirects(buf, redirects, r.redirected);
    if (!read_slots(data, slots, r.dead)) return false;
    describe_slots(buf, "dead", slots, r.dead);
    if (!read_slots(data, slots, r.unused)) return false;
    describe_slots(buf, "unused", slots, r.unused);
    if (!read_freeze(data, plans, r.frozen)) return false;
    describe_plans(buf, plans, r.frozen);
    return true;
}

bool describe_prune(StringInfo buf, XLogReaderState *record) {
    PruneRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "latest_removed_xid: %u, nredirected: %u, ndead: %u, nunused: %u, nfrozen: %u",
                       r.latest_removed_xid, r.redirected, r.dead, r.unused, r.frozen);
    if (r.freezes_all) ::appendStringInfoString(buf, ", freezes: all");
    describe_vm_bits(buf, r.vm_bits);
    const ByteReader data = block_data(record, kPageRef);
    return data.left() == 0 || describe_prune_data(buf, data, r);
}

bool describe_vacuum(StringInfo buf, XLogReaderState *record) {
    VacuumRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "latest_removed_xid: %u, nunused: %u", r.latest_removed_xid, r.unused);
    describe_vm_bits(buf, r.vm_bits);
    ByteReader data = block_data(record, kPageRef);
    if (data.left() == 0) return true;
    SlotNo slots[page::kMaxTuplesPerPage];
    if (!read_slots(data, slots, r.unused)) return false;
    describe_slots(buf, "unused", slots, r.unused);
    return true;
}

bool describe_visible(StringInfo buf, XLogReaderState *record) {
    VisibleRecord r;
    ByteReader in = main_data(record);
    if (!parse(in, &r)) return false;
    ::appendStringInfo(buf, "cutoff_xid: %u", r.cutoff_xid);
    describe_vm_bits(buf, r.vm_bits);
    return true;
}

bool describe_images(StringInfo buf, XLogReaderState *record) {
    int pages = 0;
    for (int ref = 0; ref <= XLogRecMaxBlockId(record); ++ref)
        pages += XLogRecHasBlockRef(record, ref) ? 1 : 0;
    ::appendStringInfo(buf, "npages: %d", pages);
    return true;
}

bool describe_fsm_truncate(StringInfo buf, ByteReader in, std::uint8_t format) {
    FsmTruncateRecord r;
    if (!parse(in, format, &r)) return false;
    ::appendStringInfo(buf, "fsm_truncate, rel: %u/%u/%u, heap_blocks: %u", r.spc, r.db, r.rel,
                       r.heap_blocks);
    return true;
}

bool describe_file_event(StringInfo buf, ByteReader in, std::uint8_t format) {
    FileEventRecord r;
    if (!parse(in, format, &r)) return false;
    ::appendStringInfo(buf, "file_event, rel: %u/%u/%u, event: %s", r.spc, r.db, r.rel,
                       r.what == FileEvent::handed_over ? "handed_over" : "resolved");
    return true;
}

bool describe_other(StringInfo buf, XLogReaderState *record) {
    OtherHead head;
    ByteReader in = main_data(record);
    if (!parse(in, &head)) return false;
    if (!head.is_known()) {
        ::appendStringInfo(buf, "what: %u, format: %u", static_cast<unsigned>(head.what), head.format);
        return false;
    }
    return head.what == OtherRecord::fsm_truncate ? describe_fsm_truncate(buf, in, head.format)
                                                  : describe_file_event(buf, in, head.format);
}

bool describe(StringInfo buf, XLogReaderState *record) {
    switch (static_cast<RecordType>(XLogRecGetInfo(record) & ~XLR_INFO_MASK)) {
        case RecordType::insert:
        case RecordType::insert_init:
            return describe_insert(buf, record);
        case RecordType::multi_insert:
            return describe_multi_insert(buf, record);
        case RecordType::remove:
            return describe_remove(buf, record);
        case RecordType::update:
        case RecordType::hot_update:
            return describe_update(buf, record);
        case RecordType::lock:
            return describe_lock(buf, record);
        case RecordType::confirm:
            return describe_confirm(buf, record);
        case RecordType::prune:
            return describe_prune(buf, record);
        case RecordType::vacuum:
            return describe_vacuum(buf, record);
        case RecordType::visible:
            return describe_visible(buf, record);
        case RecordType::hint_image:
        case RecordType::new_pages:
            return describe_images(buf, record);
        case RecordType::other:
            return describe_other(buf, record);
    }
    ::appendStringInfo(buf, "info: 0x%02X", XLogRecGetInfo(record) & ~XLR_INFO_MASK);
    return false;
}

}  // namespace

extern "C" void gh_rm_desc(StringInfo buf, XLogReaderState *record) {
    if (describe(buf, record)) return;
    ::appendStringInfoString(buf, judge(record) == Verdict::newer ? " (of a newer version)" : " (damaged)");
}

extern "C" const char *gh_rm_identify(uint8 info) {
    switch (static_cast<RecordType>(info & ~XLR_INFO_MASK)) {
        case RecordType::insert:
            return "INSERT";
        case RecordType::insert_init:
            return "INSERT+INIT";
        case RecordType::multi_insert:
            return "MULTI_INSERT";
        case RecordType::remove:
            return "DELETE";
        case RecordType::update:
            return "UPDATE";
        case RecordType::hot_update:
            return "HOT_UPDATE";
        case RecordType::lock:
            return "LOCK";
        case RecordType::confirm:
            return "CONFIRM";
        case RecordType::prune:
            return "PRUNE";
        case RecordType::vacuum:
            return "VACUUM";
        case RecordType::visible:
            return "VISIBLE";
        case RecordType::hint_image:
            return "HINT_IMAGE";
        case RecordType::new_pages:
            return "NEW_PAGES";
        case RecordType::other:
            return "OTHER";
    }
    return nullptr;
}

}  // namespace glassheap::redo
