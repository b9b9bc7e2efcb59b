// test/unit/mvcc/freeze_plan_test.cpp — every way a header is frozen, kept or refused.
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/freeze_plan.hpp"

#include "mvcc/world.hpp"

namespace glassheap::mvcc::rules::test {
namespace {

constexpr FreezeLimits kLimits{
    .relfrozenxid = 500, .relminmxid = 50, .freeze_limit = 950, .multi_cutoff = 100};
constexpr Xid kOldAborted = 910;     // before the limit
constexpr Xid kOldCommitted = 900;   // before the limit
constexpr Xid kNewCommitted = 1020;  // State::later: committed
constexpr Xid kNewAborted = 1030;

class FreezePlanTest : public ::testing::Test {
protected:
    FreezePlanTest() {
        world.states[kNewAborted] = State::aborted;
        world.check_order = false;
        head.xmin = kOldCommitted;
        head.infomask = page::kXminCommitted | page::kXmaxInvalid | page::kHasVarWidth;
        head.infomask2 = 2;
    }
    FreezeVerdict run() {
        oldest = {2000, 2000};
        FreezePlanner<World> planner(head, kLimits, world);
        return planner.run(7, &plan, &oldest);
    }
    void set_multi(std::uint32_t multi, std::vector<MultiMember> members) {
        world.multis[multi] = members;
        head.xmax = multi;
        const MultiBits bits = bits_of_members(members);
        head.infomask = static_cast<std::uint16_t>((head.infomask & ~page::kXmaxBits) | bits.infomask);
        head.infomask2 |= bits.infomask2;
    }
    World world;
    TupleHead head{};
    page::FreezePlan plan{};
    OldestIds oldest{};
};

TEST_F(FreezePlanTest, OldXminIsFrozen) {
    const FreezeVerdict v = run();
    EXPECT_TRUE(v.must_freeze);
    EXPECT_TRUE(v.totally_frozen);
    EXPECT_EQ(plan.slot, 7);
    EXPECT_EQ(plan.infomask, page::kXminFrozen | page::kXmaxInvalid | page::kHasVarWidth);
    EXPECT_EQ(oldest.xid, 2000U);
}

TEST_F(FreezePlanTest, FrozenStaysAsItIs) {
    head.infomask |= page::kXminFrozen;
    const FreezeVerdict v = run();
    EXPECT_FALSE(v.must_freeze);
    EXPECT_TRUE(v.totally_frozen);
}

TEST_F(FreezePlanTest, YoungXminStaysAndCounts) {
    head.xmin = kNewCommitted;
    const FreezeVerdict v = run();
    EXPECT_FALSE(v.must_freeze);
    EXPECT_FALSE(v.totally_frozen);
    EXPECT_EQ(oldest.xid, kNewCommitted);
}

TEST_F(FreezePlanTest, DamagedXmin) {
    head.xmin = 400;
    EXPECT_EQ(run().fault, FreezeFault::xmin_before_relfrozenxid);
    head.xmin = kOldAborted;
    const FreezeVerdict v = run();
    EXPECT_EQ(v.fault, FreezeFault::xmin_not_committed);
    EXPECT_EQ(v.id, kOldAborted);
    EXPECT_EQ(v.bound, 950U);
}

TEST_F(FreezePlanTest, OldXmaxGoesWhenItMeansNothing) {
    head.infomask = page::kXminCommitted;
    head.infomask2 = 2 | page::kHotUpdated | page::kKeysUpdated;
    head.xmax = kOldAborted;
    FreezeVerdict v = run();
    EXPECT_TRUE(v.totally_frozen);
    EXPECT_EQ(plan.xmax, kInvalidXid);
    EXPECT_EQ(plan.infomask, page::kXminFrozen | page::kXmaxInvalid);
    EXPECT_EQ(plan.infomask2, 2);

    head.infomask = page::kXminCommitted | page::kXmaxLockOnly | page::kXmaxExclLock;
    head.xmax = kOldCommitted;  // a lock may go though its owner committed
    v = run();
    EXPECT_EQ(v.fault, FreezeFault::none);
    EXPECT_EQ(plan.infomask, page::kXminFrozen | page::kXmaxInvalid);

    head.infomask = page::kXminCommitted;  // but a deletion may not
    EXPECT_EQ(run().fault, FreezeFault::xmax_committed);
    head.xmax = 400;
    EXPECT_EQ(run().fault, FreezeFault::xmax_before_relfrozenxid);
    head.xmax = 1;
    EXPECT_EQ(run().fault, FreezeFault::xmax_not_an_xid);
}

TEST_F(FreezePlanTest, YoungXmaxStays) {
    head.infomask = page::kXminCommitted;
    head.xmax = kRunning;
    const FreezeVerdict v = run();
    EXPECT_TRUE(v.must_freeze);  // xmin
    EXPECT_FALSE(v.totally_frozen);
    EXPECT_EQ(plan.xmax, kRunning);
    EXPECT_EQ(oldest.xid, kRunning);
}

TEST_F(FreezePlanTest, Pre93ShareLockGoes) {
    head.infomask = page::kXminCommitted | page::kXmaxIsMulti | page::kXmaxLockOnly;
    head.xmax = 3;  // not to be looked up
    EXPECT_TRUE(run().totally_frozen);
    EXPECT_EQ(plan.xmax, kInvalidXid);
}

TEST_F(FreezePlanTest, OldMultis) {
    set_multi(40, {{kOldCommitted, kForShare}});
    EXPECT_EQ(run().fault, FreezeFault::multi_before_relminmxid);

    set_multi(60, {{kOldCommitted, kForShare}, {kOldAborted, kForShare}});
    EXPECT_TRUE(run().totally_frozen);
    EXPECT_EQ(plan.xmax, kInvalidXid);
    EXPECT_EQ(oldest.multi, 2000U);

    set_multi(61, {{kRunning, kForShare}});
    EXPECT_EQ(run().fault, FreezeFault::multi_still_running);

    set_multi(62, {{kOldCommitted, kForKeyShare}, {kNewCommitted, kNoKeyUpdate}});
    const FreezeVerdict v = run();
    EXPECT_FALSE(v.totally_frozen);
    EXPECT_EQ(plan.xmax, kNewCommitted);
    EXPECT_EQ(plan.infomask & page::kXmaxBits, 0);
    EXPECT_EQ(oldest.xid, kNewCommitted);

    set_multi(63, {{kOldCommitted, kForKeyShare}, {kOldAborted, kUpdate}});
    EXPECT_TRUE(run().totally_frozen);
    EXPECT_EQ(plan.infomask2 & page::kKeysUpdated, 0);

    set_multi(64, {{kOldAborted, kForKeyShare}, {kOldCommitted, kUpdate}});
    EXPECT_EQ(run().fault, FreezeFault::updater_committed);

    world.states[400] = State::aborted;
    set_multi(65, {{400, kUpdate}});
    EXPECT_EQ(run().fault, FreezeFault::updater_before_relfrozenxid);
}

TEST_F(FreezePlanTest, RecentMultiWithRecentMembersStays) {
    set_multi(200, {{kRunning, kForKeyShare}, {kNewCommitted, kNoKeyUpdate}});
    const FreezeVerdict v = run();
    EXPECT_FALSE(v.totally_frozen);
    EXPECT_EQ(plan.xmax, 200U);
    EXPECT_EQ(oldest.multi, 200U);
    EXPECT_EQ(oldest.xid, kRunning);
}

TEST_F(FreezePlanTest, RecentMultiWithOldMembersIsSifted) {
    set_multi(201, {{kOldCommitted, kForKeyShare}, {kOldAborted, kForShare}});
    EXPECT_TRUE(run().totally_frozen);
    EXPECT_EQ(plan.xmax, kInvalidXid);

    set_multi(202, {{kOldCommitted, kForKeyShare}, {kNewCommitted, kUpdate}});
    FreezeVerdict v = run();
    EXPECT_EQ(plan.xmax, kNewCommitted);
    EXPECT_EQ(plan.infomask & page::kXmaxBits, page::kXmaxCommitted);
    EXPECT_NE(plan.infomask2 & page::kKeysUpdated, 0);  // still what it was
    EXPECT_EQ(oldest.xid, kNewCommitted);
    EXPECT_EQ(oldest.multi, 2000U);

    set_multi(203, {{kOldCommitted, kForKeyShare}, {kRunning, kForShare}, {kNewCommitted, kNoKeyUpdate}});
    v = run();
    EXPECT_FALSE(v.totally_frozen);
    EXPECT_EQ(plan.xmax, 5000U);
    ASSERT_EQ(world.multis[5000].size(), 2U);
    EXPECT_EQ(plan.infomask & page::kXmaxBits, page::kXmaxIsMulti | page::kXmaxExclLock);
    EXPECT_EQ(oldest.xid, kNewCommitted);
    EXPECT_EQ(oldest.multi, 2000U);  // a new multixact is younger than all

    set_multi(204, {{kOldCommitted, kForKeyShare}, {kRunning, kForShare}, {kNewAborted, kNoKeyUpdate}});
    v = run();
    EXPECT_EQ(plan.infomask & page::kXmaxBits,
              page::kXmaxIsMulti | page::kXmaxShareLock | page::kXmaxLockOnly);

    set_multi(205, {{kOldCommitted, kUpdate}, {kRunning, kForKeyShare}});
    EXPECT_EQ(run().fault, FreezeFault::updater_before_limit);
}

TEST_F(FreezePlanTest, MovedTuplesAreSettled) {
    head.cid = 910;
    head.infomask |= page::kMovedIn;
    EXPECT_TRUE(run().must_freeze);
    EXPECT_EQ(plan.flags, page::kFreezeXvac);
    head.infomask = static_cast<std::uint16_t>((head.infomask & ~page::kMovedIn) | page::kMovedOff);
    EXPECT_TRUE(run().must_freeze);
    EXPECT_EQ(plan.flags, page::kInvalidateXvac);
}

TEST_F(FreezePlanTest, WouldFreezeAgreesWithThePlanner) {
    const auto compare = [&] {
        const bool must_freeze = run().must_freeze;
        OldestIds ids{2000, 2000};
        EXPECT_EQ(would_freeze(head, kLimits, &ids, world), must_freeze);
        EXPECT_LE(ids.xid, oldest.xid);  // it never freezes, so it keeps at least as much
        EXPECT_LE(ids.multi, oldest.multi);
    };
    compare();
    head.xmin = kNewCommitted;
    compare();
    set_multi(202, {{kOldCommitted, kForKeyShare}, {kNewCommitted, kUpdate}});
    compare();
    set_multi(200, {{kRunning, kForKeyShare}, {kNewCommitted, kNoKeyUpdate}});
    compare();
    set_multi(60, {{kOldCommitted, kForShare}});
    compare();
}

TEST(BitsOfMembers, StrongestLockWins) {
    const auto bits = [](std::vector<MultiMember> m) { return bits_of_members(m); };
    EXPECT_EQ(bits({{5, kForKeyShare}, {6, kForShare}}).infomask,
              page::kXmaxIsMulti | page::kXmaxLockOnly | page::kXmaxShareLock);
    EXPECT_EQ(bits({{5, kForNoKeyUpdate}, {6, kForKeyShare}}).infomask,
              page::kXmaxIsMulti | page::kXmaxLockOnly | page::kXmaxExclLock);
    EXPECT_EQ(bits({{5, kForUpdate}}).infomask2, page::kKeysUpdated);
    EXPECT_EQ(bits({{5, kForKeyShare}, {6, kNoKeyUpdate}}).infomask,
              page::kXmaxIsMulti | page::kXmaxExclLock);
    EXPECT_EQ(bits({{5, kForKeyShare}, {6, kNoKeyUpdate}}).infomask2, 0);
    EXPECT_EQ(bits({{5, kForKeyShare}, {6, kUpdate}}).infomask2, page::kKeysUpdated);
}

}  // namespace
}  // namespace glassheap::mvcc::rules::test
