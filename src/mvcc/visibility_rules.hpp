// mvcc/visibility_rules.hpp — PostgreSQL's visibility rules over plain tuple headers.
//
// Why:    who sees which version is decided here, without locks, pages or the server, so that every
//         combination of header bits and transaction states can be enumerated by a unit test.
//
//   header bits + oracle -> insertion(): did the version come to life?
//                        -> then, for a version that did: who marked it, and did that count?
//
// The oracle answers for the outside world:
//     bool is_mine(Xid)                  my transaction or one of its live subtransactions
//     bool is_running(Xid)               in progress; for MVCC rules: not finished for the snapshot
//     bool has_committed(Xid)            asked only after is_running said no (the order matters: a
//                                        transaction leaves the set of running ones after its commit is
//                                        recorded)
//     bool multi_is_running(Xid multi, bool locks_only)
//     Xid  updater_of(const TupleHead &) the updating member of a multixact xmax; kInvalidXid if none
//     Cid  cmin_of / cmax_of(const TupleHead &)
//     void hint(std::uint16_t bits, Xid) remember what was found; xid valid: that xid committed.  May set
//                                        the bits in the header or not; the rules never rely on it.
//
// Invariants: mvcc.V1 a rule asks about xmax only once xmin is known to have committed (or to be mine).
//         mvcc.V2 hint bits written on the page come from facts that hold for everybody, never from a
//            snapshot: is_running of a snapshot is always followed by has_committed before a hint is given.
// Errors: the rules never longjmp; oracles may.
// See:    mvcc/README.md for the truth table; PG: heapam_visibility.c (facts).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/layout.hpp"

namespace glassheap::mvcc::rules {

using page::TupleHead;

// ---- header bits
constexpr bool has(const TupleHead &t, std::uint16_t bits) noexcept {
    return (t.infomask & bits) != 0;
}
constexpr bool xmin_committed(const TupleHead &t) noexcept {
    return has(t, page::kXminCommitted);
}
constexpr bool xmin_invalid(const TupleHead &t) noexcept {
    return (t.infomask & page::kXminFrozen) == page::kXminInvalid;
}
constexpr bool xmin_frozen(const TupleHead &t) noexcept {
    return (t.infomask & page::kXminFrozen) == page::kXminFrozen;
}
// xmax only locks: so says the bit, or (before 9.3, where FOR UPDATE had no such bit) an exclusive lock that
// is no multixact.
constexpr bool locks_only(std::uint16_t infomask) noexcept {
    return (infomask & page::kXmaxLockOnly) != 0 ||
           (infomask & (page::kXmaxIsMulti | page::kLockMask)) == page::kXmaxExclLock;
}
constexpr bool locks_only(const TupleHead &t) noexcept {
    return locks_only(t.infomask);
}
// A share lock written before 9.3: a multixact nobody may look up any more, and surely not running.
constexpr bool is_pre93_share_lock(std::uint16_t infomask) noexcept {
    return (infomask & page::kXmaxIsMulti) != 0 && (infomask & page::kXmaxLockOnly) != 0 &&
           (infomask & (page::kXmaxExclLock | page::kXmaxKeyShareLock)) == 0;
}

// ---- the inserter
enum class Insertion : std::uint8_t {
    committed,
    failed,   // aborted or crashed
    running,  // by somebody else
    mine,
    // VACUUM FULL before 9.0 moved versions around; its xid is in place of the command id.
    moved_off_by_me,  // old place, my move
    moving_off,       // old place, a move in progress: the version still counts
    moved_in_by_me,   // new place, my move: the version counts
    moving_in,        // new place, a move in progress: does not count yet
};

namespace detail {

template <class Oracle>
Insertion moved_off(const TupleHead &t, Oracle &oracle) {
    const Xid mover = t.cid;
    if (oracle.is_mine(mover)) return Insertion::moved_off_by_me;
    if (oracle.is_running(mover)) return Insertion::moving_off;
    if (oracle.has_committed(mover)) {
        oracle.hint(page::kXminInvalid, kInvalidXid);
        return Insertion::failed;
    }
    oracle.hint(page::kXminCommitted, kInvalidXid);
    return Insertion::committed;
}

template <class Oracle>
Insertion moved_in(const TupleHead &t, Oracle &oracle) {
    const Xid mover = t.cid;
    if (oracle.is_mine(mover)) return Insertion::moved_in_by_me;
    if (oracle.is_running(mover)) return Insertion::moving_in;
    if (oracle.has_committed(mover)) {
        oracle.hint(page::kXminCommitted, kInvalidXid);
        return Insertion::committed;
    }
    oracle.hint(page::kXminInvalid, kInvalidXid);
    return Insertion::failed;
}

// xmin carries no hint yet.
template <class Oracle>
Insertion unhinted_insertion(const TupleHead &t, Oracle &oracle) {
    if (has(t, page::kMovedOff)) return moved_off(t, oracle);
    if (has(t, page::kMovedIn)) return moved_in(t, oracle);
    if (oracle.is_mine(t.xmin)) return Insertion::mine;
    if (oracle.is_running(t.xmin)) return Insertion::running;
    if (oracle.has_committed(t.xmin)) {
        oracle.hint(page::kXminCommitted, t.xmin);
        return Insertion::committed;
    }
    oracle.hint(page::kXminInvalid, kInvalidXid);
    return Insertion::failed;
}

}  // namespace detail

template <class Oracle>
Insertion insertion(const TupleHead &t, Oracle &oracle) {
    if (xmin_committed(t)) return Insertion::committed;
    if (xmin_invalid(t)) return Insertion::failed;
    return detail::unhinted_insertion(t, oracle);
}

// For all rules but vacuum's: does an insertion in this state count as committed?
constexpr bool counts_as_committed(Insertion state) noexcept {
    return state == Insertion::committed || state == Insertion::moving_off ||
           state == Insertion::moved_in_by_me;
}

// ---- what is true right now (SELF and DIRTY)
struct DirtyReport {
    Xid inserter = kInvalidXid;     // running inserter
    Xid deleter = kInvalidXid;      // running deleter or updater
    std::uint32_t speculative = 0;  // token of a running speculative insertion
};

namespace detail {

// Was a version of mine deleted again by me (in a subtransaction that still lives)?
template <class Oracle>
bool mine_still_there(const TupleHead &t, Oracle &oracle) {
    if (has(t, page::kXmaxInvalid) || locks_only(t)) return true;
    if (has(t, page::kXmaxIsMulti)) return !oracle.is_mine(oracle.updater_of(t));
    if (oracle.is_mine(t.xmax)) return false;
    oracle.hint(page::kXmaxInvalid, kInvalidXid);  // the deleting subtransaction aborted
    return true;
}

// A committed version whose xmax is a multixact with an updater.
template <class Oracle>
bool there_despite_updater(const TupleHead &t, Oracle &oracle, DirtyReport *report) {
    const Xid updater = oracle.updater_of(t);
    if (oracle.is_mine(updater)) return false;
    if (oracle.is_running(updater)) {
        if (report != nullptr) report->deleter = updater;
        return true;
    }
    return !oracle.has_committed(updater);
}

template <class Oracle>
bool committed_still_there(const TupleHead &t, Oracle &oracle, DirtyReport *report) {
    if (has(t, page::kXmaxInvalid)) return true;
    if (has(t, page::kXmaxCommitted)) return locks_only(t);
    if (has(t, page::kXmaxIsMulti)) return locks_only(t) || there_despite_updater(t, oracle, report);

    const bool only_lock = locks_only(t);
    if (oracle.is_mine(t.xmax)) return only_lock;
    if (oracle.is_running(t.xmax)) {
        if (!only_lock && report != nullptr) report->deleter = t.xmax;
        return true;
    }
    if (!oracle.has_committed(t.xmax) || only_lock) {
        oracle.hint(page::kXmaxInvalid, kInvalidXid);
        return true;
    }
    oracle.hint(page::kXmaxCommitted, t.xmax);
    return false;
}

}  // namespace detail

// SELF: report == nullptr.  DIRTY: versions of running transactions are visible too, and reported.
template <class Oracle>
bool visible_now(const TupleHead &t, Oracle &oracle, DirtyReport *report) {
    const Insertion state = insertion(t, oracle);
    if (state == Insertion::mine) return detail::mine_still_there(t, oracle);
    if (state == Insertion::running) {
        if (report == nullptr) return false;
        if (t.ctid.slot == page::kSpecTokenSlot) report->speculative = t.ctid.block();
        report->inserter = t.xmin;
        return true;
    }
    return counts_as_committed(state) && detail::committed_still_there(t, oracle, report);
}

// TOAST: chunks are visible unless their insertion is known to have failed; whoever holds the pointer to
// them has looked at the row already.
template <class Oracle>
bool visible_as_toast(const TupleHead &t, Oracle &oracle) {
    if (xmin_committed(t)) return true;
    if (xmin_invalid(t)) return false;
    if (has(t, page::kMoved)) return counts_as_committed(detail::unhinted_insertion(t, oracle));
    return t.xmin != kInvalidXid;  // a speculative insertion that was taken back
}

// ---- MVCC: what a snapshot sees.  is_running(xid) means: not finished as far as the snapshot knows.
namespace detail {

template <class Oracle>
bool deleted_later(const TupleHead &t, Oracle &oracle, Cid now) {
    return oracle.cmax_of(t) >= now;
}

template <class Oracle>
bool mine_visible(const TupleHead &t, Oracle &oracle, Cid now) {
    if (oracle.cmin_of(t) >= now) return false;  // inserted by a later command
    if (has(t, page::kXmaxInvalid) || locks_only(t)) return true;
    if (has(t, page::kXmaxIsMulti)) {
        if (!oracle.is_mine(oracle.updater_of(t))) return true;
        return deleted_later(t, oracle, now);
    }
    if (oracle.is_mine(t.xmax)) return deleted_later(t, oracle, now);
    oracle.hint(page::kXmaxInvalid, kInvalidXid);
    return true;
}

template <class Oracle>
bool committed_visible(const TupleHead &t, Oracle &oracle, Cid now) {
    if (has(t, page::kXmaxInvalid) || locks_only(t)) return true;
    if (has(t, page::kXmaxIsMulti)) {
        const Xid updater = oracle.updater_of(t);
        if (oracle.is_mine(updater)) return deleted_later(t, oracle, now);
        return oracle.is_running(updater) || !oracle.has_committed(updater);
    }
    if (has(t, page::kXmaxCommitted)) return oracle.is_running(t.xmax);
    if (oracle.is_mine(t.xmax)) return deleted_later(t, oracle, now);
    if (oracle.is_running(t.xmax)) return true;
    if (!oracle.has_committed(t.xmax)) {
        oracle.hint(page::kXmaxInvalid, kInvalidXid);
        return true;
    }
    oracle.hint(page::kXmaxCommitted, t.xmax);
    return false;
}

}  // namespace detail

// `now`: the snapshot's command counter.
template <class Oracle>
bool visible_to_snapshot(const TupleHead &t, Oracle &oracle, Cid now) {
    if (xmin_committed(t)) {
        // Committed, but perhaps only after the snapshot was taken.
        if (!xmin_frozen(t) && oracle.is_running(t.xmin)) return false;
        return detail::committed_visible(t, oracle, now);
    }
    const Insertion state = insertion(t, oracle);
    if (state == Insertion::mine) return detail::mine_visible(t, oracle, now);
    return counts_as_committed(state) && detail::committed_visible(t, oracle, now);
}

// ---- may this version be changed by the current command?
enum class Change : std::uint8_t { ok, invisible, self_modified, updated, deleted, being_modified };

namespace detail {

constexpr Change gone(const TupleHead &t, page::RowAddress self) noexcept {
    return t.ctid == self ? Change::deleted : Change::updated;
}

template <class Oracle>
Change changed_by_me(const TupleHead &t, Oracle &oracle, Cid now) {
    return oracle.cmax_of(t) >= now ? Change::self_modified : Change::invisible;
}

// Inserted by me, and locked; perhaps by others, if the version before was key-share locked by them.
template <class Oracle>
Change mine_locked(const TupleHead &t, Oracle &oracle) {
    const bool locked =
        has(t, page::kXmaxIsMulti) ? oracle.multi_is_running(t.xmax, true) : oracle.is_running(t.xmax);
    return locked ? Change::being_modified : Change::ok;
}

template <class Oracle>
Change mine_changeable(const TupleHead &t, Oracle &oracle, Cid now) {
    if (oracle.cmin_of(t) >= now) return Change::invisible;
    if (has(t, page::kXmaxInvalid)) return Change::ok;
    if (locks_only(t)) return mine_locked(t, oracle);
    if (has(t, page::kXmaxIsMulti)) {
        if (oracle.is_mine(oracle.updater_of(t))) return changed_by_me(t, oracle, now);
        return oracle.multi_is_running(t.xmax, false) ? Change::being_modified : Change::ok;
    }
    if (oracle.is_mine(t.xmax)) return changed_by_me(t, oracle, now);
    oracle.hint(page::kXmaxInvalid, kInvalidXid);
    return Change::ok;
}

template <class Oracle>
Change multi_changeable(const TupleHead &t, Oracle &oracle, Cid now, page::RowAddress self) {
    if (is_pre93_share_lock(t.infomask)) return Change::ok;
    if (!locks_only(t)) {
        const Xid updater = oracle.updater_of(t);
        if (updater != kInvalidXid && oracle.is_mine(updater)) return changed_by_me(t, oracle, now);
        if (oracle.multi_is_running(t.xmax, false)) return Change::being_modified;
        if (updater != kInvalidXid && oracle.has_committed(updater)) return gone(t, self);
    }
    // The update, if there was one, came to nothing: only running lockers count.
    if (oracle.multi_is_running(t.xmax, locks_only(t))) return Change::being_modified;
    oracle.hint(page::kXmaxInvalid, kInvalidXid);
    return Change::ok;
}

template <class Oracle>
Change committed_changeable(const TupleHead &t, Oracle &oracle, Cid now, page::RowAddress self) {
    if (has(t, page::kXmaxInvalid)) return Change::ok;
    if (has(t, page::kXmaxCommitted)) return locks_only(t) ? Change::ok : gone(t, self);
    if (has(t, page::kXmaxIsMulti)) return multi_changeable(t, oracle, now, self);

    const bool only_lock = locks_only(t);
    if (oracle.is_mine(t.xmax)) return only_lock ? Change::being_modified : changed_by_me(t, oracle, now);
    if (oracle.is_running(t.xmax)) return Change::being_modified;
    if (!oracle.has_committed(t.xmax) || only_lock) {
        oracle.hint(page::kXmaxInvalid, kInvalidXid);
        return Change::ok;
    }
    oracle.hint(page::kXmaxCommitted, t.xmax);
    return gone(t, self);
}

}  // namespace detail

// `self`: where the version stands, to tell an update (ctid leads on) from a deletion.
template <class Oracle>
Change changeable(const TupleHead &t, Oracle &oracle, Cid now, page::RowAddress self) {
    const Insertion state = insertion(t, oracle);
    if (state == Insertion::mine) return detail::mine_changeable(t, oracle, now);
    if (!counts_as_committed(state)) return Change::invisible;
    return detail::committed_changeable(t, oracle, now, self);
}

// ---- vacuum: may the version be removed?
enum class Fate : std::uint8_t { dead, live, recently_dead, insert_in_progress, delete_in_progress };

template <class Oracle>
bool only_locked(const TupleHead &t, Oracle &oracle) {
    if (has(t, page::kXmaxInvalid | page::kXmaxLockOnly) || t.xmax == kInvalidXid) return true;
    if (!has(t, page::kXmaxIsMulti)) return false;
    const Xid updater = oracle.updater_of(t);
    return !oracle.is_mine(updater) && !oracle.is_running(updater) && !oracle.has_committed(updater);
}

namespace detail {

template <class Oracle>
Fate mine_fate(const TupleHead &t, Oracle &oracle) {
    if (has(t, page::kXmaxInvalid) || locks_only(t) || only_locked(t, oracle)) {
        return Fate::insert_in_progress;
    }
    const Xid deleter = has(t, page::kXmaxIsMulti) ? oracle.updater_of(t) : t.xmax;
    return oracle.is_mine(deleter) ? Fate::delete_in_progress : Fate::insert_in_progress;
}

// Live in any case; but once the lockers are gone, spare others the look-up.
template <class Oracle>
Fate locked_fate(const TupleHead &t, Oracle &oracle) {
    if (has(t, page::kXmaxCommitted)) return Fate::live;
    const bool running = has(t, page::kXmaxIsMulti)
                             ? !is_pre93_share_lock(t.infomask) && oracle.multi_is_running(t.xmax, true)
                             : oracle.is_running(t.xmax);
    if (!running) oracle.hint(page::kXmaxInvalid, kInvalidXid);
    return Fate::live;
}

template <class Oracle>
Fate multi_fate(const TupleHead &t, Oracle &oracle, Xid *dead_after) {
    const Xid updater = oracle.updater_of(t);
    if (oracle.is_running(updater)) return Fate::delete_in_progress;
    if (oracle.has_committed(updater)) {
        // Lockers may still run; they are in the newer version's xmax, too.
        *dead_after = updater;
        return Fate::recently_dead;
    }
    if (!oracle.multi_is_running(t.xmax, false)) oracle.hint(page::kXmaxInvalid, kInvalidXid);
    return Fate::live;
}

template <class Oracle>
Fate committed_fate(const TupleHead &t, Oracle &oracle, Xid *dead_after) {
    if (has(t, page::kXmaxInvalid)) return Fate::live;
    if (locks_only(t)) return locked_fate(t, oracle);
    if (has(t, page::kXmaxIsMulti)) return multi_fate(t, oracle, dead_after);
    if (!has(t, page::kXmaxCommitted)) {
        if (oracle.is_running(t.xmax)) return Fate::delete_in_progress;
        if (!oracle.has_committed(t.xmax)) {
            oracle.hint(page::kXmaxInvalid, kInvalidXid);
            return Fate::live;
        }
        oracle.hint(page::kXmaxCommitted, t.xmax);
    }
    *dead_after = t.xmax;
    return Fate::recently_dead;
}

}  // namespace detail

// recently_dead sets *dead_after: dead for everybody whose horizon is past that xid.
template <class Oracle>
Fate fate(const TupleHead &t, Oracle &oracle, Xid *dead_after) {
    *dead_after = kInvalidXid;
    switch (insertion(t, oracle)) {
        case Insertion::failed:
            return Fate::dead;
        case Insertion::running:
        case Insertion::moved_in_by_me:
        case Insertion::moving_in:
            return Fate::insert_in_progress;
        case Insertion::moved_off_by_me:
        case Insertion::moving_off:
            return Fate::delete_in_progress;
        case Insertion::mine:
            return detail::mine_fate(t, oracle);
        case Insertion::committed:
            break;
    }
    return detail::committed_fate(t, oracle, dead_after);
}

}  // namespace glassheap::mvcc::rules
