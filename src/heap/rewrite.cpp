// heap/rewrite.cpp — versions keep their history while they move (rewrite.hpp).
//
// Why:    a version that old snapshots see must lead to its successor; rows arrive in any order, so of each
//         pair (older, newer) either the older one waits with its contents (`waiting_`) or the newer one
//         leaves its new address (`moved_`).
//
//             older first:  older -> waiting_;  newer is written, then older with its ctid -> newer
//             newer first:  newer is written, its address -> moved_;  older is written with ctid -> newer
//
// Invariants: heap.C1 both maps are keyed by what identifies the newer version in the old table: its xmin
//            (the older one's xmax) and its old address.  Both, since line pointers are reused.
// Errors: may longjmp.
// See:    PG: access/heap/rewriteheap.c (facts)
// SPDX-License-Identifier: PostgreSQL
#include "heap/rewrite.hpp"

#include "heap/new_pages.hpp"
#include "heap/rewrite_mappings.hpp"
#include "mvcc/freeze.hpp"
#include "mvcc/visibility.hpp"

namespace glassheap::heap {

namespace {

struct VersionKey {  // heap.C1
    Xid xmin;
    ItemPointerData tid;
    uint16 zero;
};
static_assert(sizeof(VersionKey) == 12);

struct WaitingVersion {
    VersionKey successor;
    ItemPointerData old_tid;
    HeapTuple copy;
};

struct MovedVersion {
    VersionKey self;
    ItemPointerData new_tid;
};

VersionKey key_of(Xid xmin, ItemPointerData tid) noexcept {
    return {xmin, tid, 0};
}

// Was the version updated (not just locked or deleted), here, to another address?
bool has_successor(HeapTuple version) {
    HeapTupleHeader header = version->t_data;
    return (header->t_infomask & HEAP_XMAX_INVALID) == 0 && !mvcc::is_only_locked(header) &&
           !HeapTupleHeaderIndicatesMovedPartitions(header) &&
           !::ItemPointerEquals(&version->t_self, &header->t_ctid);
}

// heap.W1: xmin, xmax and cid with their status bits; HOT flags are not taken over, for the new table has no
// indexes yet that could follow chains.
void take_over_history(HeapTupleHeader copy, HeapTupleHeader version) noexcept {
    copy->t_choice.t_heap = version->t_choice.t_heap;
    copy->t_infomask =
        static_cast<uint16>((copy->t_infomask & ~HEAP_XACT_MASK) | (version->t_infomask & HEAP_XACT_MASK));
    copy->t_infomask2 = static_cast<uint16>(copy->t_infomask2 & ~HEAP2_XACT_MASK);
    ItemPointerSetInvalid(&copy->t_ctid);
}

void apply_to_copy(const page::FreezePlan &plan, HeapTupleHeader copy) noexcept {
    auto &head = *reinterpret_cast<page::TupleHead *>(copy);
    head.xmax = plan.xmax;
    if ((plan.flags & page::kFreezeXvac) != 0) head.cid = kFrozenXid;
    if ((plan.flags & page::kInvalidateXvac) != 0) head.cid = kInvalidXid;
    head.infomask = plan.infomask;
    head.infomask2 = plan.infomask2;
}

HTAB *make_map(const char *name, Size entry_size, MemoryContext context) {
    HASHCTL control{};
    control.keysize = sizeof(VersionKey);
    control.entrysize = entry_size;
    control.hcxt = context;
    return ::hash_create(name, 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

}  // namespace

class Rewrite {
public:
    void begin(Relation old_table, Relation new_table, const RewriteCutoffs &cutoffs, MemoryContext context);
    void add(HeapTuple version, HeapTuple copy);
    bool drop_predecessor_of(HeapTuple version);
    void finish();
    MemoryContext context() const noexcept { return context_; }

private:
    bool settle_successor(HeapTuple version, HeapTuple copy);
    void write_with_predecessors(ItemPointerData old_tid, HeapTuple copy);
    bool somebody_needs_predecessor(HeapTuple copy) const;
    void store(HeapTuple copy);
    void freeze(HeapTupleHeader copy) const;

    MemoryContext context_;
    Relation new_table_;
    Xid oldest_xmin_;
    mvcc::FreezeCutoffs freeze_cutoffs_;
    NewPages pages_;
    RewriteMappings mappings_;
    HTAB *waiting_;  // WaitingVersion
    HTAB *moved_;    // MovedVersion
};

void Rewrite::begin(Relation old_table, Relation new_table, const RewriteCutoffs &cutoffs,
                    MemoryContext context) {
    context_ = context;
    new_table_ = new_table;
    oldest_xmin_ = cutoffs.oldest_xmin;
    freeze_cutoffs_ = {.relfrozenxid = old_table->rd_rel->relfrozenxid,
                       .relminmxid = old_table->rd_rel->relminmxid,
                       .freeze_limit = cutoffs.freeze_xid,
                       .multi_cutoff = cutoffs.multi_cutoff};
    pages_.begin(new_table);
    mappings_.begin(old_table, new_table, context);
    waiting_ = make_map("glassheap rewrite: older versions", sizeof(WaitingVersion), context);
    moved_ = make_map("glassheap rewrite: newer versions", sizeof(MovedVersion), context);
}

void Rewrite::freeze(HeapTupleHeader copy) const {
    page::FreezePlan plan;
    Xid new_relfrozenxid = freeze_cutoffs_.freeze_limit;
    MultiXactId new_relminmxid = freeze_cutoffs_.multi_cutoff;
    if (mvcc::plan_freeze(copy, kFirstSlot, freeze_cutoffs_, &plan, &new_relfrozenxid, &new_relminmxid)
            .must_freeze)
        apply_to_copy(plan, copy);
}

// Stores the copy, out of line where it is too long for a page.
void Rewrite::store(HeapTuple copy) {
    HeapTuple stored = copy;
    const bool is_toast_table = new_table_->rd_rel->relkind == RELKIND_TOASTVALUE;
    if (!is_toast_table && (HeapTupleHasExternal(copy) || copy->t_len > TOAST_TUPLE_THRESHOLD)) {
        // The main rows are not decoded, as they are logged as page images: neither may their chunks be.
        stored = ::heap_toast_insert_or_update(new_table_, copy, nullptr,
                                               HEAP_INSERT_SKIP_FSM | HEAP_INSERT_NO_LOGICAL);
    }
    pages_.append(stored);
    if (stored == copy) return;
    copy->t_self = stored->t_self;
    ::heap_freetuple(stored);
}

bool Rewrite::somebody_needs_predecessor(HeapTuple copy) const {
    // The predecessor's xmax is our xmin: recently dead unless it is older than every snapshot.
    return (copy->t_data->t_infomask & HEAP_UPDATED) != 0 &&
           !::TransactionIdPrecedes(HeapTupleHeaderGetXmin(copy->t_data), oldest_xmin_);
}

// Writes a version, then the predecessor that has waited for its address, then that one's, and so on.
void Rewrite::write_with_predecessors(ItemPointerData old_tid, HeapTuple copy) {
    bool ours = false;  // the copy comes from waiting_
    for (;;) {
        store(copy);
        mappings_.note(old_tid, copy);
        const ItemPointerData new_tid = copy->t_self;
        const VersionKey key = key_of(HeapTupleHeaderGetXmin(copy->t_data), old_tid);
        const bool needed = somebody_needs_predecessor(copy);
        if (ours) ::heap_freetuple(copy);
        if (!needed) return;

        bool found;
        auto *waiting = static_cast<WaitingVersion *>(::hash_search(waiting_, &key, HASH_REMOVE, &found));
        if (waiting == nullptr) {
            auto *moved = static_cast<MovedVersion *>(::hash_search(moved_, &key, HASH_ENTER, &found));
            moved->new_tid = new_tid;
            return;
        }
        // A removed entry stays readable until the next change of the map.
        copy = waiting->copy;
        old_tid = waiting->old_tid;
        copy->t_data->t_ctid = new_tid;
        ours = true;
    }
}

// Points the copy to its successor; false: the successor has not come yet, the copy waits for it.
bool Rewrite::settle_successor(HeapTuple version, HeapTuple copy) {
    const VersionKey key = key_of(mvcc::update_xid(version->t_data), version->t_data->t_ctid);
    bool found;
    auto *moved = static_cast<MovedVersion *>(::hash_search(moved_, &key, HASH_REMOVE, &found));
    if (moved != nullptr) {
        copy->t_data->t_ctid = moved->new_tid;
        return true;
    }
    auto *waiting = static_cast<WaitingVersion *>(::hash_search(waiting_, &key, HASH_ENTER, &found));
    waiting->old_tid = version->t_self;
    waiting->copy = ::heap_copytuple(copy);
    return false;
}

void Rewrite::add(HeapTuple version, HeapTuple copy) {
    take_over_history(copy->t_data, version->t_data);
    freeze(copy->t_data);
    if (has_successor(version) && !settle_successor(version, copy)) return;
    write_with_predecessors(version->t_self, copy);
}

bool Rewrite::drop_predecessor_of(HeapTuple version) {
    const VersionKey key = key_of(HeapTupleHeaderGetXmin(version->t_data), version->t_self);
    bool found;
    auto *waiting = static_cast<WaitingVersion *>(::hash_search(waiting_, &key, HASH_REMOVE, &found));
    if (waiting == nullptr) return false;
    ::heap_freetuple(waiting->copy);
    return true;
}

void Rewrite::finish() {
    // Those whose successor never came are dead in fact (a vacuum took the successor), but better kept.
    HASH_SEQ_STATUS walk;
    ::hash_seq_init(&walk, waiting_);
    while (auto *waiting = static_cast<WaitingVersion *>(::hash_seq_search(&walk))) {
        ItemPointerSetInvalid(&waiting->copy->t_data->t_ctid);
        store(waiting->copy);
    }
    pages_.finish();
    mappings_.finish();
}

Rewrite *begin_rewrite(Relation old_table, Relation new_table, const RewriteCutoffs &cutoffs) {
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "glassheap rewrite", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller_context = MemoryContextSwitchTo(context);
    auto *rewrite = ::new (::palloc0(sizeof(Rewrite))) Rewrite;
    rewrite->begin(old_table, new_table, cutoffs, context);
    MemoryContextSwitchTo(caller_context);
    return rewrite;
}

void rewrite_version(Rewrite *rewrite, HeapTuple version, HeapTuple copy) {
    MemoryContext caller_context = MemoryContextSwitchTo(rewrite->context());
    rewrite->add(version, copy);
    MemoryContextSwitchTo(caller_context);
}

bool rewrite_dead_version(Rewrite *rewrite, HeapTuple version) {
    return rewrite->drop_predecessor_of(version);
}

void end_rewrite(Rewrite *rewrite) {
    MemoryContext context = rewrite->context();
    MemoryContext caller_context = MemoryContextSwitchTo(context);
    rewrite->finish();
    MemoryContextSwitchTo(caller_context);
    ::MemoryContextDelete(context);
}

}  // namespace glassheap::heap
