// test/unit/mvcc/visibility_rules_test.cpp — the truth table of visibility, all rows of it.
//
// Why:    every combination of inserter, deleter, kind of mark and hint bits is compared with what follows
//         from the transactions' states alone, without looking at a single bit.
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/visibility_rules.hpp"

#include <optional>
#include <string>

#include "mvcc/world.hpp"

namespace glassheap::mvcc::rules::test {
namespace {

enum class Mark { none, lock, old_lock, remove, multi_locks, multi_update };
constexpr Mark kAllMarks[] = {Mark::none,   Mark::lock,        Mark::old_lock,
                              Mark::remove, Mark::multi_locks, Mark::multi_update};
enum class Hints { none, possible };

constexpr std::uint32_t kMulti = 77;
constexpr Cid kNow = 5;
constexpr page::RowAddress kSelf = page::RowAddress::make(3, 4);

struct Row {
    State inserter;
    Mark mark;
    State marker;  // who locked or deleted; the updater of a multixact
    State locker;  // second member of a multixact
    Hints xmin_hints;
    Hints xmax_hints;
    bool frozen;
    Cid cmin;
    Cid cmax;
    bool drop_hints;

    std::string describe() const {
        return "inserter " + std::to_string(static_cast<int>(inserter)) + " mark " +
               std::to_string(static_cast<int>(mark)) + " marker " +
               std::to_string(static_cast<int>(marker)) + " locker " +
               std::to_string(static_cast<int>(locker)) + " hints " +
               std::to_string(static_cast<int>(xmin_hints)) + std::to_string(static_cast<int>(xmax_hints)) +
               " frozen " + std::to_string(frozen) + " cmin " + std::to_string(cmin) + " cmax " +
               std::to_string(cmax);
    }
    bool deletes() const { return mark == Mark::remove || mark == Mark::multi_update; }
};

bool ended_well(State s) {
    return s == State::committed || s == State::later;
}

// The header such a row has on the page.
struct Subject {
    TupleHead head{};
    World world;

    explicit Subject(const Row &row, bool as_of_snapshot) {
        head.xmin = xid_of(row.inserter);
        head.ctid = kSelf;
        head.cid = 0;
        if (row.xmin_hints == Hints::possible) hint_xmin(row);
        set_xmax(row);
        if (row.xmax_hints == Hints::possible) hint_xmax(row);
        world.subject = &head;
        world.as_of_snapshot = as_of_snapshot;
        world.cmin = row.cmin;
        world.cmax = row.cmax;
        world.drop_hints = row.drop_hints;
    }
    void hint_xmin(const Row &row) {
        if (ended_well(row.inserter)) head.infomask |= row.frozen ? page::kXminFrozen : page::kXminCommitted;
        if (row.inserter == State::aborted) head.infomask |= page::kXminInvalid;
    }
    void set_xmax(const Row &row) {
        head.xmax = xid_of(row.marker);
        switch (row.mark) {
            case Mark::none:
                head.xmax = 0;
                head.infomask |= page::kXmaxInvalid;
                return;
            case Mark::lock:
                head.infomask |= page::kXmaxLockOnly | page::kXmaxKeyShareLock;
                return;
            case Mark::old_lock:  // FOR UPDATE before 9.3
                head.infomask |= page::kXmaxExclLock;
                return;
            case Mark::remove:
                return;
            case Mark::multi_locks:
                head.infomask |= page::kXmaxIsMulti | page::kXmaxLockOnly | page::kXmaxKeyShareLock;
                set_multi({{xid_of(row.marker), kForKeyShare}, {xid_of(row.locker), kForShare}});
                return;
            case Mark::multi_update:
                head.infomask |= page::kXmaxIsMulti | page::kXmaxExclLock;
                set_multi({{xid_of(row.locker), kForKeyShare}, {xid_of(row.marker), kNoKeyUpdate}});
                return;
        }
    }
    void set_multi(std::vector<MultiMember> members) {
        head.xmax = kMulti;
        world.multis[kMulti] = std::move(members);
    }
    void hint_xmax(const Row &row) {
        const bool plain = row.mark == Mark::remove;
        if (plain && ended_well(row.marker)) head.infomask |= page::kXmaxCommitted;
        if ((plain || row.mark == Mark::lock) && row.marker == State::aborted)
            head.infomask |= page::kXmaxInvalid;
        if (row.mark == Mark::lock && ended_well(row.marker)) head.infomask |= page::kXmaxInvalid;
    }
};

template <class Visit>
void for_all_rows(Visit visit) {
    for (const State inserter : kAllStates)
        for (const Mark mark : kAllMarks)
            for (const State marker : kAllStates)
                for (const State locker : kAllStates)
                    for (const Hints xmin_hints : {Hints::none, Hints::possible})
                        for (const Hints xmax_hints : {Hints::none, Hints::possible})
                            for (const bool frozen : {false, true})
                                for (const Cid cmin : {Cid{4}, Cid{5}})
                                    for (const Cid cmax : {Cid{4}, Cid{5}})
                                        for (const bool drop : {false, true}) {
                                            const Row row{inserter,   mark,   marker, locker, xmin_hints,
                                                          xmax_hints, frozen, cmin,   cmax,   drop};
                                            SCOPED_TRACE(row.describe());
                                            visit(row);
                                            if (::testing::Test::HasFailure()) return;
                                        }
}

// Frozen only when everybody agrees that the inserter is long gone; and nobody else can delete what I have
// not committed yet.
bool is_possible(const Row &row) {
    if (row.frozen && row.inserter != State::committed) return false;
    if (row.inserter != State::mine || !row.deletes()) return true;
    return row.marker == State::mine || row.marker == State::aborted;
}

TEST(VisibilityTable, Self) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        Subject s(row, false);
        const bool born = row.inserter == State::mine || ended_well(row.inserter);
        const bool gone = row.deletes() && (row.marker == State::mine ||
                                            (row.inserter != State::mine && ended_well(row.marker)));
        EXPECT_EQ(visible_now(s.head, s.world, nullptr), born && !gone);
    });
}

TEST(VisibilityTable, DirtyReportsRunningTransactions) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        Subject s(row, false);
        DirtyReport report;
        const bool visible = visible_now(s.head, s.world, &report);
        if (row.inserter == State::running) {
            EXPECT_TRUE(visible);
            EXPECT_EQ(report.inserter, kRunning);
            EXPECT_EQ(report.deleter, kInvalidXid);
            return;
        }
        EXPECT_EQ(report.inserter, kInvalidXid);
        const bool born = row.inserter == State::mine || ended_well(row.inserter);
        const bool gone = row.deletes() && (row.marker == State::mine ||
                                            (row.inserter != State::mine && ended_well(row.marker)));
        EXPECT_EQ(visible, born && !gone);
        const bool being_deleted = row.deletes() && row.marker == State::running && ended_well(row.inserter);
        EXPECT_EQ(report.deleter, being_deleted ? kRunning : kInvalidXid);
    });
}

TEST(VisibilityTable, DirtyReportsTheSpeculativeToken) {
    World world;
    TupleHead head{};
    head.xmin = kRunning;
    head.infomask = page::kXmaxInvalid;
    head.ctid = page::RowAddress::make(0x00ABCDEF, page::kSpecTokenSlot);
    DirtyReport report;
    EXPECT_TRUE(visible_now(head, world, &report));
    EXPECT_EQ(report.speculative, 0x00ABCDEFU);
    EXPECT_EQ(report.inserter, kRunning);
}

TEST(VisibilityTable, Snapshot) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        Subject s(row, true);
        bool born = row.inserter == State::committed;
        if (row.inserter == State::mine) born = row.cmin < kNow;
        bool gone = false;
        if (row.deletes()) {
            if (row.marker == State::mine) gone = row.cmax < kNow;
            if (row.marker == State::committed && row.inserter != State::mine) gone = true;
        }
        EXPECT_EQ(visible_to_snapshot(s.head, s.world, kNow), born && !gone);
    });
}

TEST(VisibilityTable, Change) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        for (const bool moved_on : {false, true}) {
            Subject s(row, false);
            s.head.ctid = moved_on ? page::RowAddress::make(3, 9) : kSelf;
            const Change verdict = changeable(s.head, s.world, kNow, kSelf);
            const Change gone = moved_on ? Change::updated : Change::deleted;
            const Change by_me = row.cmax >= kNow ? Change::self_modified : Change::invisible;
            const auto lives = [](State x) { return x == State::mine || x == State::running; };

            if (!(ended_well(row.inserter) || (row.inserter == State::mine && row.cmin < kNow))) {
                EXPECT_EQ(verdict, Change::invisible);
                continue;
            }
            const bool mine = row.inserter == State::mine;
            Change want = Change::ok;
            switch (row.mark) {
                case Mark::none:
                    break;
                case Mark::lock:
                case Mark::old_lock:
                    if (lives(row.marker)) want = Change::being_modified;
                    break;
                case Mark::remove:
                    if (row.marker == State::mine) want = by_me;
                    if (!mine && row.marker == State::running) want = Change::being_modified;
                    if (!mine && ended_well(row.marker)) want = gone;
                    break;
                case Mark::multi_locks:
                    if (lives(row.marker) || lives(row.locker)) want = Change::being_modified;
                    break;
                case Mark::multi_update:
                    if (row.marker == State::mine) {
                        want = by_me;
                    } else if (row.marker == State::running || lives(row.locker)) {
                        want = Change::being_modified;
                    } else if (!mine && ended_well(row.marker)) {
                        want = gone;
                    }
                    break;
            }
            EXPECT_EQ(static_cast<int>(verdict), static_cast<int>(want));
        }
    });
}

TEST(VisibilityTable, FateForVacuum) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        Subject s(row, false);
        Xid dead_after = 12345;
        const Fate verdict = fate(s.head, s.world, &dead_after);
        Fate want = Fate::live;
        Xid want_after = kInvalidXid;
        if (row.inserter == State::aborted) {
            want = Fate::dead;
        } else if (row.inserter == State::running) {
            want = Fate::insert_in_progress;
        } else if (row.inserter == State::mine) {
            want = row.deletes() && row.marker == State::mine ? Fate::delete_in_progress
                                                              : Fate::insert_in_progress;
        } else if (row.deletes()) {
            if (row.marker == State::mine || row.marker == State::running) want = Fate::delete_in_progress;
            if (ended_well(row.marker)) {
                want = Fate::recently_dead;
                want_after = xid_of(row.marker);
            }
        }
        EXPECT_EQ(static_cast<int>(verdict), static_cast<int>(want));
        EXPECT_EQ(dead_after, want_after);
    });
}

TEST(VisibilityTable, Toast) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row)) return;
        Subject s(row, false);
        const bool hinted_failed = row.inserter == State::aborted && row.xmin_hints == Hints::possible;
        EXPECT_EQ(visible_as_toast(s.head, s.world), !hinted_failed);
    });
    World world;
    TupleHead taken_back{};
    EXPECT_FALSE(visible_as_toast(taken_back, world));
}

TEST(VisibilityTable, HintsMakeTheSecondLookCheaperNotDifferent) {
    for_all_rows([](const Row &row) {
        if (!is_possible(row) || row.drop_hints) return;
        Subject s(row, false);
        Xid first_after = 0;
        Xid second_after = 0;
        const Fate first = fate(s.head, s.world, &first_after);
        s.world.hints = 0;
        const Fate second = fate(s.head, s.world, &second_after);
        EXPECT_EQ(static_cast<int>(first), static_cast<int>(second));
        EXPECT_EQ(first_after, second_after);
        const bool settled = ended_well(row.inserter) || row.inserter == State::aborted;
        if (settled) {
            EXPECT_EQ(s.world.hints, 0);
        }
    });
}

TEST(MovedTuples, FollowTheOldVacuumFull) {
    struct Case {
        std::uint16_t bit;
        State mover;
        bool self;
        bool snapshot;
        Fate fate;
    };
    const Case cases[] = {
        {page::kMovedOff, State::mine, false, false, Fate::delete_in_progress},
        {page::kMovedOff, State::running, true, true, Fate::delete_in_progress},
        {page::kMovedOff, State::committed, false, false, Fate::dead},
        {page::kMovedOff, State::aborted, true, true, Fate::live},
        {page::kMovedIn, State::mine, true, true, Fate::insert_in_progress},
        {page::kMovedIn, State::running, false, false, Fate::insert_in_progress},
        {page::kMovedIn, State::committed, true, true, Fate::live},
        {page::kMovedIn, State::aborted, false, false, Fate::dead},
    };
    for (const Case &c : cases) {
        SCOPED_TRACE(std::to_string(c.bit) + " " + std::to_string(static_cast<int>(c.mover)));
        const auto make = [&](World &world) {
            TupleHead head{};
            head.xmin = kCommitted;
            head.cid = xid_of(c.mover);
            head.infomask = static_cast<std::uint16_t>(c.bit | page::kXmaxInvalid);
            world.subject = nullptr;
            return head;
        };
        World world;
        const TupleHead head = make(world);
        EXPECT_EQ(visible_now(head, world, nullptr), c.self);
        world.as_of_snapshot = true;
        EXPECT_EQ(visible_to_snapshot(head, world, kNow), c.snapshot);
        world.as_of_snapshot = false;
        Xid after = 0;
        EXPECT_EQ(static_cast<int>(fate(head, world, &after)), static_cast<int>(c.fate));
        EXPECT_EQ(visible_as_toast(head, world), c.self);
        EXPECT_EQ(changeable(head, world, kNow, kSelf) == Change::ok, c.self);
    }
}

TEST(OnlyLocked, SeesThroughAbortedUpdaters) {
    for_all_rows([](const Row &row) {
        if (row.inserter != State::committed || row.mark == Mark::old_lock) return;
        Subject s(row, false);
        bool want = !row.deletes();
        if (row.mark == Mark::multi_update && row.marker == State::aborted) want = true;
        if (row.mark == Mark::remove && row.marker == State::aborted && row.xmax_hints == Hints::possible)
            want = true;
        EXPECT_EQ(only_locked(s.head, s.world), want);
    });
}

TEST(HeaderBits, LocksOfAllAges) {
    EXPECT_TRUE(locks_only(page::kXmaxLockOnly));
    EXPECT_TRUE(locks_only(page::kXmaxExclLock));                        // 9.2 FOR UPDATE
    EXPECT_FALSE(locks_only(page::kXmaxExclLock | page::kXmaxIsMulti));  // an update in a multixact
    EXPECT_FALSE(locks_only(std::uint16_t{0}));
    EXPECT_TRUE(is_pre93_share_lock(page::kXmaxIsMulti | page::kXmaxLockOnly));
    EXPECT_FALSE(is_pre93_share_lock(page::kXmaxIsMulti | page::kXmaxLockOnly | page::kXmaxKeyShareLock));
}

}  // namespace
}  // namespace glassheap::mvcc::rules::test
