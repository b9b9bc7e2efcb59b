// wal/records.hpp — the payload of every WAL record of ours.  Pure: structs only.
//
// Why:    one definition for emit, redo, describe, decode and unit tests.
// Block references: 0 the (new) heap page; 1 the old heap page of an update when it differs; 2 the VM page
//         of block 0's page; 3 the VM page of block 1's page when it is another VM page.  VM pages live
//         in shared_buffers and are replayed there (vm::redo_clear / redo_set).
// Invariants: R1 every page change carries a block reference (pg_rewind, incremental backup).
//         R2 no record uses XLR_SPECIAL_REL_UPDATE.
//         R3 structs have no padding that is not named.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/layout.hpp"
#include "page/page_edit.hpp"

namespace glassheap::wal {

inline constexpr std::uint8_t kRmgrId = 128;  // experimental range, until a reserved id is assigned (D15)

enum class RecordType : std::uint8_t {  // the high four bits of xl_info
    insert = 0x00,
    multi_insert = 0x10,
    remove = 0x20,
    update = 0x30,
    hot_update = 0x40,
    lock = 0x50,          // row lock, also on later versions of an update chain
    confirm = 0x60,       // speculative insertion succeeded
    prune = 0x70,         // prune and/or freeze and/or set VM bits of one page
    vacuum = 0x80,        // dead line pointers become unused; may set VM bits
    visible = 0x90,       // VM bits only
    hint_image = 0xA0,    // full image of a page whose hint bits (or FSM bytes) changed
    new_pages = 0xB0,     // full images of new pages (rewrite, copy)
    fsm_truncate = 0xC0,  // FSM part of a truncation (the rest is core's XLOG_SMGR_TRUNCATE)
};

// RowHead: what cannot be derived of an inserted tuple's header.
struct RowHead {
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t hoff;
};
inline constexpr std::size_t kRowHeadSize = 5;

// flags shared by several records
inline constexpr std::uint8_t kInitPage = 0x01;    // block 0 is to be initialised
inline constexpr std::uint8_t kClearVm = 0x02;     // block 0's page loses all-visible; ref 2
inline constexpr std::uint8_t kClearVmOld = 0x04;  // block 1's page too; ref 3 (or 2 if the same VM page)
inline constexpr std::uint8_t kContainsNewTuple = 0x08;  // decodable at wal_level=logical
inline constexpr std::uint8_t kContainsOldKey = 0x10;
inline constexpr std::uint8_t kContainsOldTuple = 0x20;
inline constexpr std::uint8_t kIsSpeculative = 0x40;  // insert; or delete of a failed speculation
inline constexpr std::uint8_t kLastInMulti = 0x80;    // multi_insert: last of its command
// second byte of flags
inline constexpr std::uint8_t kOnToastRelation = 0x01;
inline constexpr std::uint8_t kPartitionMove = 0x02;    // delete that is half of a row movement
inline constexpr std::uint8_t kSameVmPage = 0x04;       // both pages' VM bits are on ref 2
inline constexpr std::uint8_t kAllFrozenSet = 0x08;     // multi_insert with FREEZE: set VM bits (ref 2)
inline constexpr std::uint8_t kClearFrozenOnly = 0x10;  // clear only the all-frozen bit (row locks)
inline constexpr std::uint8_t kPrefixFromOld = 0x20;    // update: prefix length stored
inline constexpr std::uint8_t kSuffixFromOld = 0x40;

struct InsertRecord {  // block 0 data: RowHead + tuple bytes after the 23-byte header
    SlotNo slot;
    std::uint8_t flags;
    std::uint8_t flags2;
};
struct MultiInsertRecord {  // + slots[] unless kInitPage; block 0 data: MultiRow + bytes, 2-aligned, each
    std::uint8_t flags;
    std::uint8_t flags2;
    std::uint16_t count;
};
struct MultiRow {
    std::uint16_t length;  // bytes that follow
    std::uint16_t infomask2;
    std::uint16_t infomask;
    std::uint8_t hoff;
    std::uint8_t pad;
};
struct RemoveRecord {  // main data may go on with RowHead + old key or tuple
    Xid xmax;
    SlotNo slot;
    std::uint16_t infomask_bits;  // of XmaxMark
    std::uint16_t infomask2_bits;
    std::uint8_t flags;
    std::uint8_t flags2;
};
struct UpdateRecord {  // main data may go on with RowHead + old key or tuple; block 0: see emit_update
    Xid old_xmax;
    Xid new_xmax;
    SlotNo old_slot;
    SlotNo new_slot;
    std::uint16_t old_infomask_bits;
    std::uint16_t old_infomask2_bits;
    std::uint8_t flags;
    std::uint8_t flags2;
    std::uint16_t pad;
};
struct LockRecord {
    Xid xmax;
    SlotNo slot;
    std::uint16_t infomask_bits;
    std::uint16_t infomask2_bits;
    std::uint8_t flags;  // kClearVm with kClearFrozenOnly
    std::uint8_t flags2;
};
struct ConfirmRecord {
    SlotNo slot;
};
struct PruneRecord {  // block 0 data: Redirect[], dead SlotNo[], unused SlotNo[], pad to 4, FreezePlan[]
    Xid latest_removed_xid;  // conflict horizon; kInvalidXid if none
    std::uint16_t redirected;
    std::uint16_t dead;
    std::uint16_t unused;
    std::uint16_t frozen;  // number of FreezePlans
    std::uint8_t vm_bits;  // bits set on ref 2 (also sets PD_ALL_VISIBLE); 0: VM untouched
    std::uint8_t pad[3];
};
struct VacuumRecord {        // block 0 data: unused SlotNo[]
    Xid latest_removed_xid;  // conflict horizon of the VM bits
    std::uint16_t unused;
    std::uint8_t vm_bits;
    std::uint8_t pad;
};
struct VisibleRecord {  // block 0 the heap page, block 2 the VM page
    Xid cutoff_xid;
    std::uint8_t vm_bits;
    std::uint8_t pad[3];
};
struct FsmTruncateRecord {
    BlockNo heap_blocks;
    std::uint32_t spc;
    std::uint32_t db;
    std::uint32_t rel;
};

}  // namespace glassheap::wal
