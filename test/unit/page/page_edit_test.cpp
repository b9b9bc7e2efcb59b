// test/unit/page/page_edit_test.cpp — every change of a page, alone and in random sequences.
// SPDX-License-Identifier: PostgreSQL
#include "page/page_edit.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "page/page_model.hpp"

namespace glassheap::page::test {
namespace {

class PageEditTest : public ::testing::Test {
protected:
    PageEditTest() {
        std::memset(storage_.bytes, 0xEE, kPageSize);
        page.init();
    }
    SlotNo put(const std::string &tuple) {
        const SlotNo slot = page.choose_slot();
        return page.put_tuple(slot, tuple.data(), tuple.size()) ? slot : kInvalidSlot;
    }
    void prune(std::vector<Redirect> redirected, std::vector<SlotNo> dead, std::vector<SlotNo> unused) {
        page.apply_prune(redirected, dead, unused);
    }
    PageBytes storage_;
    PageEdit page{storage_.bytes};
};

TEST_F(PageEditTest, InitMakesAnEmptyHeapPage) {
    EXPECT_EQ(page.head().lower, kHeaderSize);
    EXPECT_EQ(page.head().upper, kPageSize);
    EXPECT_EQ(page.head().special, kPageSize);
    EXPECT_EQ(page.head().pagesize_version, kPageSize | 4);
    EXPECT_EQ(page.max_slot(), 0);
    EXPECT_FALSE(page.is_new());
    EXPECT_EQ(page.free_space_for_tuple(), kPageSize - kHeaderSize - kLinePointerSize);
}

TEST_F(PageEditTest, TuplesGrowDownwardsAligned) {
    const std::string a = make_tuple(1, 'a');
    const std::string b = make_tuple(17, 'b');
    ASSERT_EQ(put(a), 1);
    ASSERT_EQ(put(b), 2);
    EXPECT_EQ(page.line(1).offset(), kPageSize - 32);
    EXPECT_EQ(page.line(1).length(), 25);  // the length itself is not aligned
    EXPECT_EQ(page.line(2).offset(), kPageSize - 32 - 48);
    EXPECT_EQ(page.head().upper, kPageSize - 80);
    for (std::size_t at = 25; at < 32; ++at) EXPECT_EQ(page.tuple_bytes(1)[at], 0);  // padding
}

TEST_F(PageEditTest, LsnIsStoredHighHalfFirst) {
    page.set_lsn(0x0123456789ABCDEFULL);
    EXPECT_EQ(page.lsn(), 0x0123456789ABCDEFULL);
    EXPECT_EQ(page.head().lsn_hi, 0x01234567U);
}

TEST_F(PageEditTest, LargestTupleFitsExactly) {
    const std::string largest(kMaxTupleSize, 'x');
    EXPECT_TRUE(page.put_tuple(1, largest.data(), largest.size()));
    EXPECT_EQ(page.free_space_for_tuple(), 0U);
    EXPECT_FALSE(page.put_tuple(2, largest.data(), 24));
    EXPECT_EQ(page.max_slot(), 1);
}

TEST_F(PageEditTest, PutTupleRefusesAndChangesNothing) {
    const std::string a = make_tuple(8, 'a');
    ASSERT_EQ(put(a), 1);
    const PageBytes before = storage_;
    EXPECT_FALSE(page.put_tuple(1, a.data(), a.size()));  // in use
    EXPECT_FALSE(page.put_tuple(3, a.data(), a.size()));  // would leave a gap
    EXPECT_FALSE(page.put_tuple(0, a.data(), a.size()));
    EXPECT_FALSE(page.put_tuple(2, a.data(), kPageSize));  // too long
    EXPECT_EQ(std::memcmp(before.bytes, storage_.bytes, kPageSize), 0);
}

TEST_F(PageEditTest, NeverMoreThanTheMaximumOfLinePointers) {
    const std::string tiny = make_tuple(0, 't');
    std::vector<SlotNo> all;
    while (put(tiny) != kInvalidSlot) all.push_back(page.max_slot());
    EXPECT_EQ(page.max_slot(), kMaxTuplesPerPage);
    EXPECT_EQ(page.free_space_for_tuple(), 0U);
    // All but one become dead line pointers: much space, but no line pointer left.
    prune({}, {all.begin() + 1, all.end()}, {});
    EXPECT_GT(page.exact_free_space(), 6000U);
    EXPECT_EQ(page.free_space_for_tuple(), 0U);
    EXPECT_EQ(put(tiny), kInvalidSlot);
    const std::vector<SlotNo> some = {7};
    page.apply_vacuum(some);
    EXPECT_GT(page.free_space_for_tuple(), 6000U);
    EXPECT_EQ(put(tiny), 7);
}

TEST_F(PageEditTest, LowestFreeSlotIsReusedOnlyWithTheHint) {
    for (int i = 0; i < 5; ++i) put(make_tuple(8, 'a'));
    prune({}, {2, 4}, {});
    EXPECT_FALSE(page.has_free_lines());
    const std::vector<SlotNo> both = {2, 4};
    page.apply_vacuum(both);
    EXPECT_TRUE(page.has_free_lines());
    EXPECT_EQ(put(make_tuple(8, 'b')), 2);
    EXPECT_EQ(put(make_tuple(8, 'b')), 4);
    EXPECT_TRUE(page.has_free_lines());  // wrong by now, and found out
    EXPECT_EQ(page.choose_slot(), 6);
    EXPECT_FALSE(page.has_free_lines());
}

TEST_F(PageEditTest, VacuumCutsTheTailButLeavesOneLinePointer) {
    for (int i = 0; i < 4; ++i) put(make_tuple(8, 'a'));
    const std::vector<SlotNo> tail = {3, 4};
    prune({}, tail, {});
    page.apply_vacuum(tail);
    EXPECT_EQ(page.max_slot(), 2);
    EXPECT_FALSE(page.has_free_lines());
    const std::vector<SlotNo> rest = {1, 2};
    prune({}, rest, {});
    page.apply_vacuum(rest);
    EXPECT_EQ(page.max_slot(), 1);
    EXPECT_FALSE(page.line(1).is_used());
    EXPECT_TRUE(page.has_free_lines());
}

TEST_F(PageEditTest, PruneAndVacuumInOneStepEqualTwoSteps) {
    PageBytes other_bytes;
    PageEdit other(other_bytes.bytes);
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 6; ++i) put(make_tuple(static_cast<std::size_t>(8 * i), 'a'));
        std::memcpy(other_bytes.bytes, storage_.bytes, kPageSize);
        const std::vector<SlotNo> gone =
            round == 0 ? std::vector<SlotNo>{2, 5, 6} : std::vector<SlotNo>{1, 2, 3, 4, 5, 6, 7, 8, 9};
        if (round == 1) {
            ASSERT_EQ(page.max_slot(), 9);
        }
        page.apply_prune({}, gone, {});
        page.apply_vacuum(gone);
        other.apply_prune({}, {}, gone);
        EXPECT_EQ(page.head().lower, other.head().lower);
        EXPECT_EQ(page.head().upper, other.head().upper);
        EXPECT_EQ(page.head().flags, other.head().flags);
        for (SlotNo s = 1; s <= page.max_slot(); ++s) EXPECT_EQ(page.line(s).bits, other.line(s).bits);
    }
}

TEST_F(PageEditTest, DefragmentPutsTuplesInReverseOrderOfSlots) {
    for (int i = 0; i < 3; ++i) put(make_tuple(8, static_cast<char>('a' + i)));
    const std::vector<SlotNo> first = {1};
    prune({}, first, {});
    page.apply_vacuum(first);
    ASSERT_EQ(put(make_tuple(8, 'z')), 1);  // stored last, so not in order any more
    EXPECT_LT(page.line(1).offset(), page.line(3).offset());
    prune({}, {2}, {});
    EXPECT_EQ(page.line(1).offset(), kPageSize - 32);
    EXPECT_EQ(page.line(3).offset(), kPageSize - 64);
    EXPECT_EQ(page.tuple_bytes(1)[24], 'z');
    EXPECT_EQ(page.tuple_bytes(3)[24], 'c');
}

TEST_F(PageEditTest, PrunableHintKeepsTheOlderXid) {
    page.hint_prunable(500);
    page.hint_prunable(700);
    EXPECT_EQ(page.prune_xid(), 500U);
    page.hint_prunable(400);
    EXPECT_EQ(page.prune_xid(), 400U);
    page.hint_prunable(0xFFFFFFF0U);  // older: before the wraparound
    EXPECT_EQ(page.prune_xid(), 0xFFFFFFF0U);
}

TEST_F(PageEditTest, MarkXmaxReplacesOnlyXmaxBits) {
    put(make_tuple(8, 'a'));
    TupleHead &t = page.tuple(1);
    t.infomask = kXminCommitted | kHasVarWidth | kXmaxInvalid | kMovedIn | kUpdated;
    t.infomask2 = 3 | kHotUpdated | kKeysUpdated;
    page.mark_xmax(1, {.xmax = 77,
                       .infomask_bits = kXmaxExclLock,
                       .infomask2_bits = 0,
                       .cid = 5,
                       .is_combo = true,
                       .set_cid = true});
    EXPECT_EQ(t.xmax, 77U);
    EXPECT_EQ(t.cid, 5U);
    EXPECT_EQ(t.infomask, kXminCommitted | kHasVarWidth | kUpdated | kXmaxExclLock | kComboCid);
    EXPECT_EQ(t.infomask2, 3 | kHotUpdated);
    page.mark_xmax(1, {.xmax = 78,
                       .infomask_bits = kXmaxIsMulti,
                       .infomask2_bits = kKeysUpdated,
                       .cid = 9,
                       .is_combo = false,
                       .set_cid = false});
    EXPECT_EQ(t.cid, 5U);  // a lock leaves the command id alone
    EXPECT_NE(t.infomask & kComboCid, 0);
    EXPECT_NE(t.infomask2 & kKeysUpdated, 0);
    page.set_hot_updated(1, false);
    EXPECT_EQ(t.infomask2 & kHotUpdated, 0);
}

TEST_F(PageEditTest, SpeculativeInsertionIsConfirmedOrTakenBack) {
    put(make_tuple(8, 'a'));
    page.set_ctid(1, RowAddress::make(0x12345678, kSpecTokenSlot));
    page.confirm_speculative(1, 9);
    EXPECT_EQ(page.tuple(1).ctid, RowAddress::make(9, 1));
    page.set_ctid(1, RowAddress::make(0x12345678, kSpecTokenSlot));
    page.abort_speculative(1, 9);
    EXPECT_EQ(page.tuple(1).xmin, kInvalidXid);
    EXPECT_EQ(page.tuple(1).ctid, RowAddress::make(9, 1));
}

TEST_F(PageEditTest, FreezeWritesThePlan) {
    put(make_tuple(8, 'a'));
    page.tuple(1).cid = 1234;
    const std::vector<FreezePlan> plain = {{0, 1, kXminFrozen | kXmaxInvalid, 1, 0, 0}};
    page.apply_freeze(plain);
    EXPECT_EQ(page.tuple(1).infomask, kXminFrozen | kXmaxInvalid);
    EXPECT_EQ(page.tuple(1).cid, 1234U);
    const std::vector<FreezePlan> moved = {{0, 1, kXminFrozen | kMovedIn, 1, kFreezeXvac, 0}};
    page.apply_freeze(moved);
    EXPECT_EQ(page.tuple(1).cid, kFrozenXid);
    const std::vector<FreezePlan> off = {{0, 1, kXminFrozen | kMovedOff, 1, kInvalidateXvac, 0}};
    page.apply_freeze(off);
    EXPECT_EQ(page.tuple(1).cid, kInvalidXid);
}

TEST_F(PageEditTest, AllRowsAtOnceAreFrozenOrHinted) {
    for (int i = 0; i < 5; ++i) put(make_tuple(8, 'a'));
    page.set_line(2, LinePointer::make(0, LineState::unused, 0));
    page.set_line(3, LinePointer::make(4, LineState::redirect, 0));
    const std::uint16_t before = page.tuple(1).infomask;
    const TupleHead whole = page.tuple(5);
    page.tuple(5).infomask = kHasNull | kXminFrozen | kXmaxInvalid;
    page.hint_all_committed();
    EXPECT_EQ(page.tuple(1).infomask, before | kXminCommitted);
    EXPECT_EQ(page.tuple(5).infomask, kHasNull | kXminFrozen | kXmaxInvalid);
    page.freeze_all();
    EXPECT_EQ(page.tuple(1).infomask, before | kXminFrozen);
    EXPECT_EQ(page.tuple(4).infomask, before | kXminFrozen);
    EXPECT_EQ(page.tuple(5).infomask, kHasNull | kXminFrozen | kXmaxInvalid);
    EXPECT_EQ(page.tuple(5).xmin, whole.xmin);
    EXPECT_EQ(page.tuple(5).infomask2, whole.infomask2);
    EXPECT_FALSE(page.line(2).is_used());
    EXPECT_TRUE(page.line(3).is_redirect());
}

// ---- random sequences against the model

class RandomPage {
public:
    explicit RandomPage(unsigned seed) : rng_(seed) { page_.init(); }

    void step() {
        switch (pick(4)) {
            case 0:
            case 1:
                insert();
                break;
            case 2:
                prune();
                break;
            default:
                vacuum();
        }
        expect_same(page_, model_);
    }

private:
    std::size_t pick(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(rng_); }

    void insert() {
        const std::string tuple =
            make_tuple(pick(10) == 0 ? pick(2000) : pick(100), static_cast<char>(pick(256)));
        const SlotNo free_slot = model_.lowest_unused();
        const SlotNo want = free_slot != 0 ? free_slot : static_cast<SlotNo>(model_.last() + 1);
        const std::size_t room = page_.free_space_for_tuple();
        const SlotNo slot = page_.choose_slot();
        ASSERT_EQ(slot, want);
        const bool done = page_.put_tuple(slot, tuple.data(), tuple.size());
        if (align_up(tuple.size()) <= room) {
            ASSERT_TRUE(done);
        }
        if (done) model_.lines[slot] = {LineState::normal, tuple, 0};
    }

    void prune() {
        std::vector<Redirect> redirected;
        std::vector<SlotNo> dead;
        std::vector<SlotNo> unused;
        std::vector<SlotNo> targets;  // a redirect's tuple goes only together with the redirect
        for (const auto &[slot, line] : model_.lines) {
            if (line.state == LineState::redirect) targets.push_back(line.target);
        }
        for (auto &[slot, line] : model_.lines) {
            if (line.state != LineState::normal || pick(3) != 0) continue;
            if (std::find(targets.begin(), targets.end(), slot) != targets.end()) continue;
            if (pick(2) == 0) {
                dead.push_back(slot);
            } else {
                unused.push_back(slot);
            }
        }
        if (!dead.empty()) {  // make one of them a redirect to a survivor
            const SlotNo target = survivor(dead, unused);
            if (target != 0) {
                redirected.push_back({dead.back(), target});
                dead.pop_back();
            }
        }
        page_.apply_prune(redirected, dead, unused);
        for (const Redirect &r : redirected) model_.lines[r.from] = {LineState::redirect, {}, r.to};
        for (const SlotNo s : dead) model_.lines[s] = {LineState::dead, {}, 0};
        for (const SlotNo s : unused) model_.lines[s] = {};
        if (redirected.empty() && dead.empty() && unused.empty()) return;
        model_.cut_tail();
        ASSERT_EQ(page_.exact_free_space(),
                  kPageSize - kHeaderSize - model_.last() * kLinePointerSize - model_.stored());
    }

    SlotNo survivor(const std::vector<SlotNo> &dead, const std::vector<SlotNo> &unused) {
        for (const auto &[slot, line] : model_.lines) {
            if (line.state != LineState::normal) continue;
            if (std::find(dead.begin(), dead.end(), slot) != dead.end()) continue;
            if (std::find(unused.begin(), unused.end(), slot) != unused.end()) continue;
            return slot;
        }
        return 0;
    }

    void vacuum() {
        std::vector<SlotNo> gone;
        for (auto &[slot, line] : model_.lines) {
            if (line.state == LineState::dead && pick(2) == 0) gone.push_back(slot);
        }
        if (gone.empty()) return;
        page_.apply_vacuum(gone);
        for (const SlotNo s : gone) model_.lines[s] = {};
        model_.cut_tail();
        ASSERT_EQ(page_.has_free_lines(), model_.lowest_unused() != 0);
    }

    std::mt19937 rng_;
    PageBytes bytes_;
    PageEdit page_{bytes_.bytes};
    PageModel model_;
};

TEST(PageEditRandom, AgreesWithTheModel) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        RandomPage page(seed);
        for (int step = 0; step < 250; ++step) {
            page.step();
            ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed << " step " << step;
        }
    }
}

}  // namespace
}  // namespace glassheap::page::test
