// introspect/row_locks.cpp — which rows are locked, by whom and how.
//
// Why:    row locks live in the tuples, not in pg_locks; contrib's pgrowlocks refuses other access methods.
// Locking: AccessShareLock on the table; share latches one page at a time.
// Errors: may longjmp; INSUFFICIENT_PRIVILEGE without SELECT on the table or pg_stat_scan_tables.
// See:    PG: access/heap/README.tuplock, contrib/pgrowlocks.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "base/containers.hpp"
#include "heap/row_access.hpp"
#include "introspect/rows.hpp"
#include "introspect/target.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::introspect {

namespace {

void require_select(Relation rel) {
    AclResult allowed = ::pg_class_aclcheck(RelationGetRelid(rel), ::GetUserId(), ACL_SELECT);
    if (allowed == ACLCHECK_OK || ::has_privs_of_role(::GetUserId(), ROLE_PG_STAT_SCAN_TABLES)) return;
    ::aclcheck_error(allowed, ::get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
}

// Who holds a lock; one or many.
struct Lockers {
    ArrayBuildState *xids;
    ArrayBuildState *modes;
    ArrayBuildState *pids;
};

void add_locker(Lockers *lockers, Xid locker, const char *mode) {
    MemoryContext memory = CurrentMemoryContext;
    lockers->xids = ::accumArrayResult(lockers->xids, TransactionIdGetDatum(locker), false, XIDOID, memory);
    lockers->modes = ::accumArrayResult(lockers->modes, CStringGetTextDatum(mode), false, TEXTOID, memory);
    const int pid = TransactionIdIsValid(locker) ? ::BackendXidGetPid(locker) : 0;
    lockers->pids = ::accumArrayResult(lockers->pids, Int32GetDatum(pid), false, INT4OID, memory);
}

const char *member_mode(MultiXactStatus status) {
    switch (status) {
        case MultiXactStatusForKeyShare:
            return "Key Share";
        case MultiXactStatusForShare:
            return "Share";
        case MultiXactStatusForNoKeyUpdate:
            return "For No Key Update";
        case MultiXactStatusForUpdate:
            return "For Update";
        case MultiXactStatusNoKeyUpdate:
            return "No Key Update";
        case MultiXactStatusUpdate:
            return "Update";
    }
    return "unknown";
}

const char *single_mode(const page::TupleHead &head) {
    const bool keys = (head.infomask2 & page::kKeysUpdated) != 0;
    if ((head.infomask & page::kXmaxLockOnly) == 0) return keys ? "Update" : "No Key Update";
    switch (head.infomask & page::kLockMask) {
        case page::kXmaxShareLock:
            return "For Share";
        case page::kXmaxKeyShareLock:
            return "For Key Share";
        case page::kXmaxExclLock:
            return keys ? "For Update" : "For No Key Update";
        default:
            return "transient upgrade status";
    }
}

Lockers lockers_of(const page::TupleHead &head) {
    Lockers lockers = {nullptr, nullptr, nullptr};
    if ((head.infomask & page::kXmaxIsMulti) == 0) {
        add_locker(&lockers, head.xmax, single_mode(head));
        return lockers;
    }
    MultiXactMember *members;
    const bool from_upgrade = HEAP_LOCKED_UPGRADED(head.infomask);
    const int count = ::GetMultiXactIdMembers(head.xmax, &members, from_upgrade, false);
    if (count < 0) add_locker(&lockers, kInvalidXid, "transient upgrade status");
    for (int i = 0; i < count; ++i) add_locker(&lockers, members[i].xid, member_mode(members[i].status));
    if (count == 0) add_locker(&lockers, kInvalidXid, "no members");
    return lockers;
}

void add_lock(Rows *rows, const ItemPointerData &tid, const page::TupleHead &head) {
    rows->begin_row();
    const Lockers lockers = lockers_of(head);
    MemoryContext memory = CurrentMemoryContext;
    rows->add({row_address(ItemPointerGetBlockNumber(&tid), ItemPointerGetOffsetNumber(&tid)), xid(head.xmax),
               boolean((head.infomask & page::kXmaxIsMulti) != 0),
               datum_cell(::makeArrayResult(lockers.xids, memory)),
               datum_cell(::makeArrayResult(lockers.modes, memory)),
               datum_cell(::makeArrayResult(lockers.pids, memory))});
}

struct LockedRow {
    ItemPointerData tid;
    page::TupleHead head;
};

using LockedRows = FixedVector<LockedRow, page::kMaxTuplesPerPage>;

// Copies the headers of the page's locked, visible rows; looking members up waits until the latch is gone.
void list_locked(Relation rel, BlockNo block, buffer::AccessRing *ring, Snapshot snapshot,
                 LockedRows *found) {
    found->clear();
    const buffer::PinnedPage page = buffer::read_page(rel, MAIN_FORKNUM, block, ring);
    const buffer::ShareLatch latch(page);
    const page::PageView view = page.view();
    const SlotNo last = view.is_new() ? kInvalidSlot : view.max_slot();
    for (SlotNo slot = 1; slot <= last && found->size() < found->capacity(); ++slot) {
        if (!view.line(slot).is_normal()) continue;
        const page::TupleHead &head = view.tuple(slot);
        if ((head.infomask & page::kXmaxInvalid) != 0) continue;  // nobody
        HeapTupleData tuple = heap::tuple_at(rel, page, slot);
        if (!mvcc::satisfies(&tuple, snapshot, &page)) continue;
        if (mvcc::satisfies_update(&tuple, ::GetCurrentCommandId(false), &page) != TM_BeingModified) continue;
        LockedRow &row = found->emplace_back(LockedRow{tuple.t_self, {}});
        std::memcpy(&row.head, tuple.t_data, page::kTupleHeadFixed);
    }
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_rowlocks);
PGDLLEXPORT Datum glassheap_rowlocks(PG_FUNCTION_ARGS) {
    Relation rel = open_table(PG_GETARG_OID(0));
    require_select(rel);
    Rows rows(fcinfo);
    LockedRows found;
    buffer::AccessRing *ring = buffer::make_ring(buffer::RingKind::bulk_read);
    const BlockNo blocks = ::RelationGetNumberOfBlocks(rel);
    for (BlockNo block = 0; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        list_locked(rel, block, ring, ::GetActiveSnapshot(), &found);
        for (const LockedRow &row : found) add_lock(&rows, row.tid, row.head);
    }
    buffer::free_ring(ring);
    close_table(rel);
    return 0;
}

}  // extern "C"

}  // namespace glassheap::introspect
