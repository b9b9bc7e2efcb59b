// test/unit/mvcc/world.hpp — a few transactions whose state is known, as an oracle for the rules.
//
// Why:    the oracle also proves that every hint the rules give is true, and that nobody asks for a commit
//         before asking whether the transaction still runs.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <span>
#include <vector>

#include "mvcc/freeze_plan.hpp"
#include "mvcc/visibility_rules.hpp"

namespace glassheap::mvcc::rules::test {

// later: committed by now, but running for the snapshot.
enum class State { mine, running, later, committed, aborted };

inline constexpr Xid kMine = 1000;
inline constexpr Xid kRunning = 1010;
inline constexpr Xid kLater = 1020;
inline constexpr Xid kCommitted = 900;
inline constexpr Xid kAborted = 910;

constexpr Xid xid_of(State s) {
    switch (s) {
        case State::mine:
            return kMine;
        case State::running:
            return kRunning;
        case State::later:
            return kLater;
        case State::committed:
            return kCommitted;
        case State::aborted:
            return kAborted;
    }
    return 0;
}

inline constexpr State kAllStates[] = {State::mine, State::running, State::later, State::committed,
                                       State::aborted};

class World {
public:
    std::map<Xid, State> states = {{kMine, State::mine},
                                   {kRunning, State::running},
                                   {kLater, State::later},
                                   {kCommitted, State::committed},
                                   {kAborted, State::aborted}};
    std::map<std::uint32_t, std::vector<MultiMember>> multis;
    TupleHead *subject = nullptr;  // hints are written here, unless they are to be dropped
    bool drop_hints = false;       // as with an asynchronous commit
    bool as_of_snapshot = false;
    Cid cmin = 0;
    Cid cmax = 0;
    std::uint32_t next_multi = 5000;

    State state(Xid xid) const {
        const auto found = states.find(xid);
        EXPECT_NE(found, states.end()) << "asked about xid " << xid;
        return found == states.end() ? State::aborted : found->second;
    }
    bool is_mine(Xid xid) { return xid != 0 && state(xid) == State::mine; }
    bool is_running(Xid xid) {
        asked_running_.insert(xid);
        switch (state(xid)) {
            case State::mine:
                return true;
            case State::running:
                return true;
            case State::later:
                return as_of_snapshot;
            case State::committed:
            case State::aborted:
                return false;
        }
        return false;
    }
    bool has_committed(Xid xid) {
        if (check_order) {
            EXPECT_TRUE(asked_running_.contains(xid)) << "has_committed asked before is_running";
        }
        return state(xid) == State::committed || state(xid) == State::later;
    }
    bool multi_is_running(std::uint32_t multi, bool) {
        for (const MultiMember &m : multis.at(multi)) asked_running_.insert(m.xid);
        for (const MultiMember &m : multis.at(multi)) {
            if (state(m.xid) == State::running || state(m.xid) == State::mine) return true;
        }
        return false;
    }
    Xid updater_of(const TupleHead &t) {
        EXPECT_FALSE(locks_only(t));
        for (const MultiMember &m : multis.at(t.xmax)) {
            if (is_updater(m)) return m.xid;
        }
        return kInvalidXid;
    }
    Cid cmin_of(const TupleHead &) const { return cmin; }
    Cid cmax_of(const TupleHead &) const { return cmax; }
    void hint(std::uint16_t bits, Xid committed) {
        ++hints;
        if (committed != kInvalidXid) {
            EXPECT_TRUE(state(committed) == State::committed || state(committed) == State::later);
        }
        check_truth(bits);
        if (!drop_hints && subject != nullptr) subject->infomask |= bits;
    }
    std::span<const MultiMember> members_of(std::uint32_t multi, bool) { return multis.at(multi); }
    MultiMember *scratch(std::size_t n) {
        scratch_.resize(n);
        return scratch_.data();
    }
    std::uint32_t make_multi(std::span<const MultiMember> members) {
        multis[next_multi] = {members.begin(), members.end()};
        return next_multi++;
    }

    int hints = 0;
    bool check_order = true;

private:
    void check_truth(std::uint16_t bits) const {
        if (subject == nullptr || has(*subject, page::kMoved)) return;
        const bool xmin_done =
            state(subject->xmin) == State::committed || state(subject->xmin) == State::later;
        if ((bits & page::kXminCommitted) != 0) {
            EXPECT_TRUE(xmin_done);
        }
        if ((bits & page::kXminInvalid) != 0) {
            EXPECT_EQ(state(subject->xmin), State::aborted);
        }
        if (has(*subject, page::kXmaxIsMulti)) return;
        if ((bits & page::kXmaxCommitted) != 0) {
            EXPECT_FALSE(locks_only(*subject));
            EXPECT_TRUE(state(subject->xmax) == State::committed || state(subject->xmax) == State::later);
        }
        if ((bits & page::kXmaxInvalid) != 0) {
            EXPECT_TRUE(state(subject->xmax) == State::aborted ||
                        (locks_only(*subject) && state(subject->xmax) != State::running))
                << "xmax " << subject->xmax;
        }
    }

    std::set<Xid> asked_running_;
    std::vector<MultiMember> scratch_;
};

}  // namespace glassheap::mvcc::rules::test
