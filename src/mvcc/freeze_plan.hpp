// mvcc/freeze_plan.hpp — the rules of freezing one tuple header, and of telling damage from age.
//
// Why:    freezing is the one place that overwrites transaction ids for good: every case is small, named and
//         tested without a server.
//
//   xmin:  older than the limit -> frozen (must have committed)
//   xmax:  xid older than the limit -> removed (must be a lock, or must have aborted)
//          multixact -> kept, removed, replaced by its updater, or by a new one with who still matters
//   xvac:  (moved by VACUUM FULL before 9.0) always settled
//
// The oracle: is_mine, is_running, has_committed, multi_is_running as in visibility_rules.hpp, and
//     std::span<const MultiMember> members_of(multi, locks_only)   empty: nobody of interest
//     std::uint32_t make_multi(std::span<const MultiMember>)       a multixact with these members
//     MultiMember *scratch(n)                                      room for n members until the planner ends
// Invariants: mvcc.F1 a version that is dead for everybody is never planned here: pruning has removed it.
//         mvcc.F2 freeze_limit <= the horizon of removal, multi_cutoff <= the oldest running multixact.
//         mvcc.F3 OldestIds ends not newer than any id that stays in the header or in its multixact.
// Errors: the rules return a FreezeFault; oracles may longjmp.
// See:    PG: heapam.c (facts).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <span>

#include "base/xid_order.hpp"
#include "mvcc/visibility_rules.hpp"
#include "page/page_edit.hpp"

namespace glassheap::mvcc::rules {

struct MultiMember {
    Xid xid;
    std::uint32_t status;  // MultiXactStatus
};
enum MemberStatus : std::uint32_t {
    kForKeyShare,
    kForShare,
    kForNoKeyUpdate,
    kForUpdate,
    kNoKeyUpdate,
    kUpdate,
};
constexpr bool is_updater(const MultiMember &m) noexcept {
    return m.status > kForUpdate;
}

// infomask and infomask2 bits of an xmax that is a multixact with these members.
struct MultiBits {
    std::uint16_t infomask;
    std::uint16_t infomask2;
};
MultiBits bits_of_members(std::span<const MultiMember> members) noexcept;

struct FreezeLimits {
    Xid relfrozenxid;
    std::uint32_t relminmxid;
    Xid freeze_limit;
    std::uint32_t multi_cutoff;
};

struct OldestIds {
    Xid xid;
    std::uint32_t multi;
    void note_xid(Xid x) noexcept {
        if (xid_precedes(x, xid)) xid = x;
    }
    void note_multi(std::uint32_t m) noexcept {
        if (multi_precedes(m, multi)) multi = m;
    }
};

enum class FreezeFault : std::uint8_t {
    none,
    xmin_before_relfrozenxid,
    xmin_not_committed,
    multi_before_relminmxid,
    multi_still_running,
    updater_before_relfrozenxid,
    updater_committed,
    updater_before_limit,
    xmax_before_relfrozenxid,
    xmax_committed,
    xmax_not_an_xid,
};

struct FreezeVerdict {
    bool must_freeze = false;
    bool totally_frozen = false;
    FreezeFault fault = FreezeFault::none;
    Xid id = kInvalidXid;     // the offending id
    Xid bound = kInvalidXid;  // what it was compared with
};

// What becomes of an xmax that is a multixact.
struct MultiFate {
    enum class Kind : std::uint8_t { keep, remove, becomes_xid, becomes_multi };
    Kind kind = Kind::keep;
    std::uint32_t id = 0;    // becomes_xid, becomes_multi
    bool committed = false;  // becomes_xid: known to have committed
    MultiBits bits{};        // becomes_multi
};

// Plans one tuple; used once.
template <class Oracle>
class FreezePlanner {
public:
    FreezePlanner(const TupleHead &tuple, const FreezeLimits &limits, Oracle &oracle) noexcept
        : t_(tuple), limits_(limits), oracle_(oracle) {}

    // Fills *plan; valid only if the verdict says must_freeze.
    FreezeVerdict run(SlotNo slot, page::FreezePlan *plan, OldestIds *oldest) {
        plan_ = plan;
        oldest_ = oldest;
        *plan = {.xmax = t_.xmax,
                 .infomask2 = t_.infomask2,
                 .infomask = t_.infomask,
                 .slot = slot,
                 .flags = 0,
                 .pad = 0};
        const bool xmin_done = plan_xmin();
        const bool xmax_done = !failed() && plan_xmax();
        if (!failed()) plan_xvac();
        verdict_.totally_frozen = xmin_done && xmax_done;
        return verdict_;
    }

private:
    bool failed() const noexcept { return verdict_.fault != FreezeFault::none; }
    bool fail(FreezeFault fault, Xid id, Xid bound = kInvalidXid) noexcept {
        verdict_.fault = fault;
        verdict_.id = id;
        verdict_.bound = bound;
        return false;
    }

    // The three plan_ functions return whether no id is left in their field afterwards.
    bool plan_xmin() {
        const Xid xmin = xmin_frozen(t_) ? kFrozenXid : t_.xmin;
        if (!is_normal_xid(xmin)) return true;
        if (xid_precedes(xmin, limits_.relfrozenxid)) {
            return fail(FreezeFault::xmin_before_relfrozenxid, xmin, limits_.relfrozenxid);
        }
        if (!xid_precedes(xmin, limits_.freeze_limit)) {
            oldest_->note_xid(xmin);
            return false;
        }
        if (!oracle_.has_committed(xmin)) {
            return fail(FreezeFault::xmin_not_committed, xmin, limits_.freeze_limit);
        }
        plan_->infomask |= page::kXminFrozen;
        verdict_.must_freeze = true;
        return true;
    }

    bool plan_xmax() {
        if (has(t_, page::kXmaxIsMulti)) return plan_multi();
        if (is_normal_xid(t_.xmax)) return plan_plain_xmax();
        if (has(t_, page::kXmaxInvalid) || t_.xmax == kInvalidXid) return true;
        return fail(FreezeFault::xmax_not_an_xid, t_.xmax, t_.infomask);
    }

    bool plan_plain_xmax() {
        if (xid_precedes(t_.xmax, limits_.relfrozenxid)) {
            return fail(FreezeFault::xmax_before_relfrozenxid, t_.xmax, limits_.relfrozenxid);
        }
        if (!xid_precedes(t_.xmax, limits_.freeze_limit)) {
            oldest_->note_xid(t_.xmax);
            return false;
        }
        // A lock may go whether its transaction committed or not; a deletion must have come to nothing.
        if (!locks_only(t_) && oracle_.has_committed(t_.xmax)) {
            return fail(FreezeFault::xmax_committed, t_.xmax);
        }
        return remove_xmax();
    }

    bool remove_xmax() noexcept {
        plan_->xmax = kInvalidXid;
        plan_->infomask =
            static_cast<std::uint16_t>((plan_->infomask & ~page::kXmaxBits) | page::kXmaxInvalid);
        plan_->infomask2 =
            static_cast<std::uint16_t>(plan_->infomask2 & ~(page::kHotUpdated | page::kKeysUpdated));
        verdict_.must_freeze = true;
        return true;
    }

    bool plan_multi() {
        const MultiFate fate = multi_fate();
        if (failed()) return false;
        switch (fate.kind) {
            case MultiFate::Kind::keep:
                oldest_->note_multi(t_.xmax);  // its members were noted on the way
                return false;
            case MultiFate::Kind::remove:
                return remove_xmax();
            case MultiFate::Kind::becomes_xid:
                oldest_->note_xid(fate.id);
                replace_xmax(fate.id, fate.committed ? page::kXmaxCommitted : std::uint16_t{0},
                             static_cast<std::uint16_t>(plan_->infomask2 & page::kKeysUpdated));
                return false;
            case MultiFate::Kind::becomes_multi:
                replace_xmax(fate.id, fate.bits.infomask, fate.bits.infomask2);
                return false;
        }
        return false;
    }

    void replace_xmax(Xid xmax, std::uint16_t bits, std::uint16_t bits2) noexcept {
        plan_->xmax = xmax;
        plan_->infomask = static_cast<std::uint16_t>((plan_->infomask & ~page::kXmaxBits) | bits);
        plan_->infomask2 = static_cast<std::uint16_t>((plan_->infomask2 & ~page::kKeysUpdated) | bits2);
        verdict_.must_freeze = true;
    }

    static MultiFate gone() noexcept { return {.kind = MultiFate::Kind::remove}; }

    MultiFate multi_fate() {
        const std::uint32_t multi = t_.xmax;
        if (multi == 0 || is_pre93_share_lock(t_.infomask)) return gone();
        if (multi_precedes(multi, limits_.relminmxid)) {
            fail(FreezeFault::multi_before_relminmxid, multi, limits_.relminmxid);
            return {};
        }
        if (multi_precedes(multi, limits_.multi_cutoff)) return old_multi_fate(multi);

        const std::span<const MultiMember> members = oracle_.members_of(multi, locks_only(t_));
        if (members.empty()) return gone();
        if (note_if_all_recent(members)) return {};
        return sift(members);
    }

    // Nobody in it can still be running; an update in it may matter yet.
    MultiFate old_multi_fate(std::uint32_t multi) {
        const bool only_locks = locks_only(t_);
        if (oracle_.multi_is_running(multi, only_locks)) {
            fail(FreezeFault::multi_still_running, multi, limits_.multi_cutoff);
            return {};
        }
        if (only_locks) return gone();
        const Xid updater = oracle_.updater_of(t_);
        if (xid_precedes(updater, limits_.relfrozenxid)) {
            fail(FreezeFault::updater_before_relfrozenxid, updater, limits_.relfrozenxid);
            return {};
        }
        if (!xid_precedes(updater, limits_.freeze_limit)) {
            return {.kind = MultiFate::Kind::becomes_xid, .id = updater};
        }
        // Had it committed, pruning would have removed the version.
        if (oracle_.has_committed(updater)) fail(FreezeFault::updater_committed, updater);
        return gone();
    }

    // No member is older than the limit: the multixact stays as it is.
    bool note_if_all_recent(std::span<const MultiMember> members) noexcept {
        Xid oldest = oldest_->xid;
        for (const MultiMember &m : members) {
            if (xid_precedes(m.xid, limits_.freeze_limit)) return false;
            if (xid_precedes(m.xid, oldest)) oldest = m.xid;
        }
        oldest_->xid = oldest;
        return true;
    }

    enum class Updater : std::uint8_t { aborted, running, committed };

    Updater judge_updater(const MultiMember &m) {
        if (xid_precedes(m.xid, limits_.relfrozenxid)) {
            fail(FreezeFault::updater_before_relfrozenxid, m.xid, limits_.relfrozenxid);
            return Updater::aborted;
        }
        Updater state = Updater::aborted;
        if (oracle_.is_mine(m.xid) || oracle_.is_running(m.xid)) {
            state = Updater::running;
        } else if (oracle_.has_committed(m.xid)) {
            state = Updater::committed;
        }
        if (state != Updater::aborted && xid_precedes(m.xid, limits_.freeze_limit)) {
            fail(FreezeFault::updater_before_limit, m.xid, limits_.freeze_limit);
        }
        return state;
    }

    // Keeps running lockers, and the updater unless it aborted.
    MultiFate sift(std::span<const MultiMember> members) {
        MultiMember *kept = oracle_.scratch(members.size());
        std::size_t count = 0;
        Xid updater = kInvalidXid;
        bool committed = false;
        bool lockers = false;
        for (const MultiMember &m : members) {
            if (is_updater(m)) {
                const Updater state = judge_updater(m);
                if (failed()) return {};
                if (state == Updater::aborted) continue;
                updater = m.xid;
                committed = state == Updater::committed;
            } else {
                if (!oracle_.is_mine(m.xid) && !oracle_.is_running(m.xid)) continue;
                lockers = true;
            }
            kept[count++] = m;
        }
        if (count == 0) return gone();
        if (updater != kInvalidXid && !lockers)
            return {.kind = MultiFate::Kind::becomes_xid, .id = updater, .committed = committed};
        return regroup({kept, count}, updater);
    }

    MultiFate regroup(std::span<const MultiMember> kept, Xid updater) {
        // A running locker cannot be older than the horizon, but an updater may be older than what we saw.
        if (updater != kInvalidXid) oldest_->note_xid(updater);
        return {.kind = MultiFate::Kind::becomes_multi,
                .id = oracle_.make_multi(kept),
                .bits = bits_of_members(kept)};
    }

    void plan_xvac() noexcept {
        if (!has(t_, page::kMoved) || !is_normal_xid(t_.cid)) return;
        // Not dead, so a move away must have failed, and a move here must have succeeded.
        plan_->flags |= has(t_, page::kMovedOff) ? page::kInvalidateXvac : page::kFreezeXvac;
        plan_->infomask |= page::kXminCommitted;
        verdict_.must_freeze = true;
    }

    const TupleHead &t_;
    const FreezeLimits &limits_;
    Oracle &oracle_;
    page::FreezePlan *plan_ = nullptr;
    OldestIds *oldest_ = nullptr;
    FreezeVerdict verdict_;
};

namespace detail {

template <class Oracle>
bool multi_would_freeze(const TupleHead &t, const FreezeLimits &limits, OldestIds *oldest, Oracle &oracle) {
    if (t.xmax == 0) return false;
    oldest->note_multi(t.xmax);
    if (is_pre93_share_lock(t.infomask)) return true;
    bool would = multi_precedes(t.xmax, limits.multi_cutoff);
    for (const MultiMember &m : oracle.members_of(t.xmax, locks_only(t))) {
        oldest->note_xid(m.xid);
        would = would || xid_precedes(m.xid, limits.freeze_limit);
    }
    return would;
}

}  // namespace detail

// Would the planner change this header?  Notes all its ids as staying.  Also for dead versions.
template <class Oracle>
bool would_freeze(const TupleHead &t, const FreezeLimits &limits, OldestIds *oldest, Oracle &oracle) {
    bool would = false;
    const auto note = [&](Xid xid) noexcept {
        if (!is_normal_xid(xid)) return;
        oldest->note_xid(xid);
        would = would || xid_precedes(xid, limits.freeze_limit);
    };
    if (!xmin_frozen(t)) note(t.xmin);
    if (has(t, page::kXmaxIsMulti)) {
        would = detail::multi_would_freeze(t, limits, oldest, oracle) || would;
    } else {
        note(t.xmax);
    }
    if (has(t, page::kMoved) && is_normal_xid(t.cid)) {
        oldest->note_xid(t.cid);
        would = true;
    }
    return would;
}

}  // namespace glassheap::mvcc::rules
