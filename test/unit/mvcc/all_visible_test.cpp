// test/unit/mvcc/all_visible_test.cpp — which live versions the visibility map may vouch for.
// SPDX-License-Identifier: PostgreSQL
#include "mvcc/all_visible.hpp"

#include <gtest/gtest.h>

namespace glassheap::mvcc::test {
namespace {

constexpr Xid kHorizon = 1000;

page::TupleHead version(Xid xmin, std::uint16_t infomask) {
    page::TupleHead head{};
    head.xmin = xmin;
    head.infomask = infomask;
    return head;
}
bool may_set(const page::TupleHead &head, Xid horizon = kHorizon) {
    return is_visible_to_all(head, horizon, CommitHint::needed);
}
bool may_stand(const page::TupleHead &head, Xid horizon = kHorizon) {
    return is_visible_to_all(head, horizon, CommitHint::not_needed);
}

TEST(AllVisible, InserterMustPrecedeTheHorizon) {
    for (const bool older : {true, false}) {
        const page::TupleHead head = version(older ? kHorizon - 1 : kHorizon, page::kXminCommitted);
        EXPECT_EQ(may_set(head), older);
        EXPECT_EQ(may_stand(head), older);
    }
}

TEST(AllVisible, XidsWrapAround) {
    const Xid before_wrap = 0xFFFFFFF0U;
    EXPECT_TRUE(may_set(version(before_wrap, page::kXminCommitted), kFirstNormalXid));
    EXPECT_FALSE(may_set(version(kFirstNormalXid, page::kXminCommitted), before_wrap));
}

TEST(AllVisible, OnlyWhoSetsTheMapNeedsTheHint) {
    const page::TupleHead unhinted = version(kHorizon - 1, 0);
    EXPECT_FALSE(may_set(unhinted));
    EXPECT_TRUE(may_stand(unhinted));
}

TEST(AllVisible, FrozenWhateverXminSays) {
    EXPECT_TRUE(may_set(version(kHorizon + 1, page::kXminFrozen)));
    EXPECT_TRUE(may_stand(version(kHorizon + 1, page::kXminFrozen)));
    // Before 9.4 the xid itself was replaced.
    EXPECT_TRUE(may_set(version(kFrozenXid, page::kXminCommitted)));
}

TEST(AllVisible, AnAbortedInserterIsNotFrozen) {
    EXPECT_FALSE(may_set(version(kHorizon + 1, page::kXminInvalid)));
    EXPECT_FALSE(may_set(version(kHorizon - 1, page::kXminInvalid)));
}

}  // namespace
}  // namespace glassheap::mvcc::test
