// mvcc/freeze.cpp — freezing with the server's transactions, and damage as errors.
//
// Why:    the rules are in freeze_plan.hpp; here are the look-ups and the messages.
// Errors: ERRCODE_DATA_CORRUPTED; may create a multixact.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "mvcc/freeze.hpp"

#include "mvcc/freeze_plan.hpp"
#include "mvcc/oracle.hpp"

namespace glassheap::mvcc {

namespace {

// Memory of member lists is left to the caller's memory context only on error.
class FreezeOracle : public PresentOracle {
public:
    explicit FreezeOracle(HeapTupleHeader tuple) noexcept : PresentOracle(tuple, nullptr) {}
    ~FreezeOracle() {
        if (members_ != nullptr) ::pfree(members_);
        if (scratch_ != nullptr) ::pfree(scratch_);
    }
    FreezeOracle(const FreezeOracle &) = delete;
    FreezeOracle &operator=(const FreezeOracle &) = delete;

    // Asked once per tuple: the span lives as long as the oracle.
    std::span<const rules::MultiMember> members_of(MultiXactId multi, bool locks_only) {
        const int count = ::GetMultiXactIdMembers(multi, &members_, false, locks_only);
        if (count <= 0) {
            members_ = nullptr;
            return {};
        }
        return {reinterpret_cast<const rules::MultiMember *>(members_), static_cast<std::size_t>(count)};
    }
    rules::MultiMember *scratch(std::size_t count) {
        scratch_ = static_cast<rules::MultiMember *>(::palloc(count * sizeof(rules::MultiMember)));
        return scratch_;
    }
    MultiXactId make_multi(std::span<const rules::MultiMember> members) {
        auto *raw = reinterpret_cast<::MultiXactMember *>(const_cast<rules::MultiMember *>(members.data()));
        return ::MultiXactIdCreateFromMembers(static_cast<int>(members.size()), raw);
    }

private:
    ::MultiXactMember *members_ = nullptr;
    rules::MultiMember *scratch_ = nullptr;
};

[[noreturn]] void report(const rules::FreezeVerdict &v) {
    using rules::FreezeFault;
    const auto corrupted = [] { ::errcode(ERRCODE_DATA_CORRUPTED); };
    switch (v.fault) {
        case FreezeFault::xmin_before_relfrozenxid:
            ereport(ERROR, (corrupted(),
                            errmsg_internal("found xmin %u from before relfrozenxid %u", v.id, v.bound)));
            break;
        case FreezeFault::xmin_not_committed:
            ereport(ERROR,
                    (corrupted(),
                     errmsg_internal("uncommitted xmin %u from before xid cutoff %u needs to be frozen", v.id,
                                     v.bound)));
            break;
        case FreezeFault::multi_before_relminmxid:
            ereport(ERROR, (corrupted(),
                            errmsg_internal("found multixact %u from before relminmxid %u", v.id, v.bound)));
            break;
        case FreezeFault::multi_still_running:
            ereport(ERROR, (corrupted(),
                            errmsg_internal("multixact %u from before cutoff %u found to be still running",
                                            v.id, v.bound)));
            break;
        case FreezeFault::updater_before_relfrozenxid:
            ereport(ERROR, (corrupted(), errmsg_internal("found update xid %u from before relfrozenxid %u",
                                                         v.id, v.bound)));
            break;
        case FreezeFault::updater_committed:
            ereport(ERROR, (corrupted(), errmsg_internal("cannot freeze committed update xid %u", v.id)));
            break;
        case FreezeFault::updater_before_limit:
            ereport(ERROR, (corrupted(),
                            errmsg_internal("found update xid %u from before xid cutoff %u", v.id, v.bound)));
            break;
        case FreezeFault::xmax_before_relfrozenxid:
            ereport(ERROR, (corrupted(),
                            errmsg_internal("found xmax %u from before relfrozenxid %u", v.id, v.bound)));
            break;
        case FreezeFault::xmax_committed:
            ereport(ERROR, (corrupted(), errmsg_internal("cannot freeze committed xmax %u", v.id)));
            break;
        case FreezeFault::xmax_not_an_xid:
        case FreezeFault::none:
            break;
    }
    ereport(ERROR,
            (corrupted(), errmsg_internal("found xmax %u (infomask 0x%04x) not frozen, not multi, not normal",
                                          v.id, v.bound)));
    pg_unreachable();
}

rules::FreezeLimits limits_of(const FreezeCutoffs &c) noexcept {
    return {.relfrozenxid = c.relfrozenxid,
            .relminmxid = c.relminmxid,
            .freeze_limit = c.freeze_limit,
            .multi_cutoff = c.multi_cutoff};
}

}  // namespace

FreezeOutcome plan_freeze(HeapTupleHeader tuple, SlotNo slot, const FreezeCutoffs &cutoffs,
                          page::FreezePlan *plan, Xid *new_relfrozenxid, MultiXactId *new_relminmxid) {
    FreezeOracle oracle(tuple);
    const rules::FreezeLimits limits = limits_of(cutoffs);
    rules::OldestIds oldest{*new_relfrozenxid, *new_relminmxid};
    rules::FreezePlanner<FreezeOracle> planner(head_of(tuple), limits, oracle);
    const rules::FreezeVerdict verdict = planner.run(slot, plan, &oldest);
    if (verdict.fault != rules::FreezeFault::none) report(verdict);
    *new_relfrozenxid = oldest.xid;
    *new_relminmxid = oldest.multi;
    return {verdict.must_freeze, verdict.totally_frozen};
}

bool needs_freeze(HeapTupleHeader tuple, Xid freeze_limit, MultiXactId multi_cutoff, Xid *new_relfrozenxid,
                  MultiXactId *new_relminmxid) {
    FreezeOracle oracle(tuple);
    const rules::FreezeLimits limits{.relfrozenxid = kInvalidXid,
                                     .relminmxid = InvalidMultiXactId,
                                     .freeze_limit = freeze_limit,
                                     .multi_cutoff = multi_cutoff};
    rules::OldestIds oldest{*new_relfrozenxid, *new_relminmxid};
    const bool would = rules::would_freeze(head_of(tuple), limits, &oldest, oracle);
    *new_relfrozenxid = oldest.xid;
    *new_relminmxid = oldest.multi;
    return would;
}

}  // namespace glassheap::mvcc
