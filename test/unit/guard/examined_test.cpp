// test/unit/guard/examined_test.cpp — what is remembered of loaded objects.
// SPDX-License-Identifier: PostgreSQL
#include "guard/examined.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace glassheap::guard {
namespace {

const ElfW(Phdr) headers[4] = {};

dl_phdr_info object_at(int place, const char *name, unsigned long long unloads = 0) {
    dl_phdr_info info = {};
    info.dlpi_addr = 0x1000 * (static_cast<ElfW(Addr)>(place) + 1);
    info.dlpi_name = name;
    info.dlpi_phdr = &headers[place];
    info.dlpi_subs = unloads;
    return info;
}

class ExaminedTest : public ::testing::Test {
protected:
    ExaminedTest() : memory(2) { examined.move_to(memory.data(), memory.size()); }
    // A walk over these; the number of those that were new.
    int walk(const std::vector<dl_phdr_info> &objects) {
        int added = 0;
        examined.begin(objects.front());
        for (const dl_phdr_info &info : objects)
            if (examined.find(info) == nullptr && examined.add(info) != nullptr) ++added;
        examined.end(objects.front());
        return added;
    }
    std::vector<Examined::Object> memory;
    Examined examined = {};
};

TEST_F(ExaminedTest, ForgetsWhatIsGoneAndNothingElse) {
    EXPECT_EQ(walk({object_at(0, "a"), object_at(1, "b")}), 2);
    examined.find(object_at(0, "a"))->judge(Verdict::escapes, examined.looks());
    EXPECT_EQ(walk({object_at(0, "a", 1)}), 0);
    EXPECT_TRUE(examined.rechecks());
    EXPECT_EQ(examined.objects().size(), 1U);
    EXPECT_TRUE(examined.find(object_at(0, "a"))->escapes());
    EXPECT_EQ(walk({object_at(0, "a", 1), object_at(1, "b", 1)}), 1);
    EXPECT_FALSE(examined.rechecks());
}

TEST_F(ExaminedTest, AnotherNameIsAnotherObject) {
    EXPECT_EQ(walk({object_at(0, "a")}), 1);
    EXPECT_EQ(walk({object_at(0, "b")}), 1);
    EXPECT_EQ(examined.objects().size(), 1U);
}

TEST_F(ExaminedTest, KnowsInWhichLookAnObjectCame) {
    walk({object_at(0, "a")});
    const std::uint64_t before = examined.looks();
    walk({object_at(0, "a"), object_at(1, "b")});
    EXPECT_LE(examined.find(object_at(0, "a"))->look, before);
    EXPECT_GT(examined.find(object_at(1, "b"))->look, before);
    EXPECT_EQ(examined.find_at(object_at(1, "b").dlpi_addr), examined.find(object_at(1, "b")));
    EXPECT_EQ(examined.find_at(0), nullptr);
}

TEST_F(ExaminedTest, TakesItsObjectsAlongWhenItGetsMoreRoom) {
    EXPECT_EQ(walk({object_at(0, "a"), object_at(1, "b"), object_at(2, "c")}), 2);
    std::vector<Examined::Object> more(4);
    EXPECT_EQ(examined.move_to(more.data(), more.size()), memory.data());
    EXPECT_EQ(walk({object_at(0, "a"), object_at(1, "b"), object_at(2, "c")}), 1);
    EXPECT_EQ(examined.objects().size(), 3U);
}

}  // namespace
}  // namespace glassheap::guard
