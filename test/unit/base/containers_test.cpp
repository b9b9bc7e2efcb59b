// test/unit/base/containers_test.cpp — containers on memory contexts, with errors that skip destructors.
// SPDX-License-Identifier: PostgreSQL
#include "base/containers.hpp"

#include <gtest/gtest.h>

#include "contexts.hpp"

namespace glassheap {
namespace {

struct Entry {
    int number;
    double other;
};

class Containers : public ::testing::Test {
protected:
    void SetUp() override { test::current = &memory; }
    void TearDown() override {
        test::current = nullptr;
        test::allocations_left = -1;
    }
    MemoryContextData memory;
};

template <typename List>
std::vector<int> numbers(const List &list) {
    std::vector<int> found;
    for (const Entry &entry : list) found.push_back(entry.number);
    return found;
}

std::vector<int> up_to(int count) {
    std::vector<int> all;
    for (int i = 0; i < count; ++i) all.push_back(i);
    return all;
}

TEST_F(Containers, AVectorGivesItsMemoryBack) {
    {
        Vector<Entry> entries;
        EXPECT_TRUE(memory.chunks.empty()) << "an empty one costs nothing";
        for (int i = 0; i < 1000; ++i) entries.push_back({i, 0});
        EXPECT_EQ(numbers(entries), up_to(1000));
        EXPECT_EQ(memory.chunks.size(), 1U);
    }
    EXPECT_TRUE(memory.chunks.empty());
}

TEST_F(Containers, AVectorStaysInTheContextItWasMadeIn) {
    MemoryContextData other;
    Vector<Entry> entries;
    entries.push_back({0, 0});
    test::current = &other;
    for (int i = 1; i < 100; ++i) entries.push_back({i, 0});
    EXPECT_EQ(memory.chunks.size(), 1U);
    EXPECT_TRUE(other.chunks.empty());
}

TEST_F(Containers, GrowthDoubles) {
    Vector<Entry> entries;
    int moves = 0;
    for (int i = 0; i < 4096; ++i) {
        const Entry *before = entries.data();
        entries.push_back({i, 0});
        moves += entries.data() != before ? 1 : 0;
    }
    EXPECT_LE(moves, 13);
}

// Whichever allocation fails, the vector is what it was before the element that did not fit.
TEST_F(Containers, AVectorSurvivesAnErrorWhileItGrows) {
    for (int fault = 0; fault < 8; ++fault) {
        Vector<Entry> entries;
        int added = 0;
        test::allocations_left = fault;
        EXPECT_TRUE(test::fails([&] {
            for (;; ++added) entries.push_back({added, 0});
        }));
        EXPECT_EQ(numbers(entries), up_to(added));
        test::allocations_left = -1;
        entries.push_back({added, 0});
        EXPECT_EQ(numbers(entries), up_to(added + 1));
    }
    EXPECT_TRUE(memory.chunks.empty());
}

TEST_F(Containers, AnAbandonedVectorIsFoundByItsContext) {
    EXPECT_TRUE(test::fails([] {
        Vector<Entry> entries;
        entries.push_back({1, 0});
        test::allocations_left = 0;
        entries.reserve(1000);
    }));
    EXPECT_EQ(memory.chunks.size(), 1U) << "its destructor was skipped";
    memory.reset();  // AddressSanitizer would tell of a leak
    EXPECT_TRUE(memory.chunks.empty());
}

TEST_F(Containers, AFullFixedVectorIsAnError) {
    FixedVector<Entry, 3> entries;
    int added = 0;
    EXPECT_TRUE(test::fails([&] {
        for (;; ++added) entries.push_back({added, 0});
    }));
    EXPECT_EQ(added, 3);
    EXPECT_EQ(numbers(entries), up_to(3));
    EXPECT_TRUE(memory.chunks.empty());
}

MemoryContextData *transaction = nullptr;
constinit ContextList<Entry> list{&transaction};

class ContextLists : public Containers {
protected:
    void SetUp() override {
        Containers::SetUp();
        transaction = &memory;
    }
    void TearDown() override {
        memory.reset();
        Containers::TearDown();
    }
    static void push(int first, int end) {
        for (int i = first; i < end; ++i) list.push_back({i, 0});
    }
};

TEST_F(ContextLists, BehaveLikeAStack) {
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(numbers(list), up_to(0));
    push(0, 100);
    EXPECT_EQ(numbers(list), up_to(100));
    for (Entry &entry : list) entry.other = 1;
    EXPECT_EQ(list.back().other, 1);
    while (list.back().number > 9) list.pop_back();
    EXPECT_EQ(numbers(list), up_to(10));
    while (!list.empty()) list.pop_back();
    push(0, 2);
    EXPECT_EQ(numbers(list), up_to(2));
}

TEST_F(ContextLists, AreEmptyOnceTheirContextIsGone) {
    push(0, 100);
    memory.reset();
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(numbers(list), up_to(0));
}

TEST_F(ContextLists, BelongToTheContextOfTheNextTransaction) {
    push(0, 100);
    memory.reset();
    MemoryContextData next;
    transaction = &next;
    push(0, 3);
    EXPECT_TRUE(memory.chunks.empty());
    EXPECT_EQ(numbers(list), up_to(3));
    next.reset();
    EXPECT_TRUE(list.empty());
}

TEST_F(ContextLists, AreForgottenWithoutTouchingMemory) {
    push(0, 3);
    const std::size_t chunks = memory.chunks.size();
    list.forget();
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(memory.chunks.size(), chunks);
    push(0, 2);  // in what is left of the same transaction
    EXPECT_EQ(numbers(list), up_to(2));
    memory.reset();
    EXPECT_TRUE(list.empty());
}

// The statement fails at each of its allocations in turn, the transaction goes on.
TEST_F(ContextLists, AreValidAfterAnErrorAtAnyAllocation) {
    bool succeeded = false;
    int faults = 0;
    for (; !succeeded; ++faults) {
        int added = 0;
        test::allocations_left = faults;
        succeeded = !test::fails([&] {
            for (; added < 100; ++added) list.push_back({added, 0});
        });
        test::allocations_left = -1;
        EXPECT_EQ(numbers(list), up_to(added));
        push(added, added + 1);
        EXPECT_EQ(numbers(list), up_to(added + 1));
        memory.reset();
        EXPECT_TRUE(list.empty());
    }
    EXPECT_GE(faults, 8);
}

}  // namespace
}  // namespace glassheap
