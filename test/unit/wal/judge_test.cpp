// test/unit/wal/judge_test.cpp — a later version's record is told from a damaged one.
// SPDX-License-Identifier: PostgreSQL
#include "wal/judge.hpp"

#include <gtest/gtest.h>

#include <string>

namespace glassheap::wal::test {
namespace {

using namespace std::string_literals;

Verdict judged(unsigned info, const std::string &main_data, const std::string &page_data = "") {
    return judge(static_cast<std::uint8_t>(info), ByteReader(main_data.data(), main_data.size()),
                 ByteReader(page_data.data(), page_data.size()));
}
Verdict judged(RecordType type, const std::string &main_data, const std::string &page_data = "") {
    return judged(static_cast<unsigned>(type), main_data, page_data);
}
template <typename Record>
std::string written(const Record &record) {
    char bytes[kMainDataMax];
    ByteWriter out(bytes, sizeof bytes);
    write(out, record);
    return {bytes, out.size()};
}
const std::string kRow =
    "\x02\x03"
    "body"s;  // two bytes of head
const std::string kLaterRow =
    "\x42\x03"
    "body"s;                                  // with the bit that is free
const std::string kDamagedRow = "\x80\x03"s;  // the raw head is cut off

TEST(Judge, TodaysRecordsAreUnderstood) {
    EXPECT_EQ(judged(RecordType::insert, written(InsertRecord{3, kClearVm}), kRow), Verdict::understood);
    EXPECT_EQ(judged(RecordType::insert_init, written(InsertRecord{1, 0}), kRow), Verdict::understood);
    EXPECT_EQ(judged(RecordType::insert, written(InsertRecord{3, 0})), Verdict::understood);  // an image
    EXPECT_EQ(judged(RecordType::multi_insert, "\x04\x02\x01"s,
                     "\x04\x02\x03"
                     "body\x02\x02\x03"
                     "bo"s),
              Verdict::understood);
    EXPECT_EQ(judged(RecordType::remove, written(RemoveRecord{3, 0, kContainsOldKey, 0}) + kRow),
              Verdict::understood);
    for (const RecordType type : {RecordType::update, RecordType::hot_update}) {
        const UpdateRecord record{3, 4, 0, kHeadStored | kBodyStored | kContainsOldTuple, 0, 0};
        EXPECT_EQ(judged(type, written(record) + kRow, kRow), Verdict::understood);
        EXPECT_EQ(judged(type, written(UpdateRecord{3, 4, 0, 0, 0, 0}), kLaterRow), Verdict::understood);
    }
    EXPECT_EQ(judged(RecordType::lock, written(LockRecord{3, 0, kChainKept, 0})), Verdict::understood);
    EXPECT_EQ(judged(RecordType::confirm, written(ConfirmRecord{3})), Verdict::understood);
    EXPECT_EQ(judged(RecordType::prune, written(PruneRecord{1, 3, 1, 1, 0, 0}), "\x01\x02\x06"s),
              Verdict::understood);
    EXPECT_EQ(judged(RecordType::prune, written(PruneRecord{1, 3, 0, 0, 0, 0, true})), Verdict::understood);
    EXPECT_EQ(judged(RecordType::vacuum, written(VacuumRecord{1, 3, 1}), "\x02"s), Verdict::understood);
    EXPECT_EQ(judged(RecordType::visible, written(VisibleRecord{1, 3})), Verdict::understood);
    EXPECT_EQ(judged(RecordType::hint_image, ""), Verdict::understood);
    EXPECT_EQ(judged(RecordType::new_pages, ""), Verdict::understood);
    EXPECT_EQ(judged(RecordType::other, written(FsmTruncateRecord{1, 2, 3, 4})), Verdict::understood);
    EXPECT_EQ(judged(RecordType::other, written(FileEventRecord{1, 2, 3, FileEvent::resolved})),
              Verdict::understood);
}

TEST(Judge, LowBitsOfTheInfoByteAreCores) {
    EXPECT_EQ(judged(0x61, written(ConfirmRecord{3})), Verdict::understood);
}

TEST(Judge, WhatIsAddedLaterIsNewer) {
    EXPECT_EQ(judged(0xE0, written(ConfirmRecord{3})), Verdict::newer);
    EXPECT_EQ(judged(0xF0, ""), Verdict::newer);
    EXPECT_EQ(judged(RecordType::insert, "\x07\x04"s), Verdict::newer);         // a flag
    EXPECT_EQ(judged(RecordType::confirm, "\x03\x01"s), Verdict::newer);        // a field
    EXPECT_EQ(judged(RecordType::visible, "\x01\0\0\0\x07"s), Verdict::newer);  // a bit
    EXPECT_EQ(judged(RecordType::hint_image, "\x01"s), Verdict::newer);         // any field
    EXPECT_EQ(judged(RecordType::other, "\x03\x01"s), Verdict::newer);          // a subtype
    EXPECT_EQ(judged(RecordType::other, "\x02\x02"s), Verdict::newer);          // a format
    EXPECT_EQ(judged(RecordType::other, "\x02\x01" + std::string(12, '\1') + "\x03"),
              Verdict::newer);  // an event
    EXPECT_EQ(judged(RecordType::insert, written(InsertRecord{3, 0}), kLaterRow), Verdict::newer);
    EXPECT_EQ(judged(RecordType::multi_insert, "\x04\x02\x01"s,
                     "\x04\x02\x03"
                     "body\x02\x42\x03"
                     "bo"s),
              Verdict::newer);
    EXPECT_EQ(judged(RecordType::multi_insert, "\x04\x02\x01"s,
                     "\x04\x02\x03"
                     "body\x02\x02\x03"
                     "bo+"s),
              Verdict::newer);  // a byte behind the rows
    EXPECT_EQ(judged(RecordType::remove, written(RemoveRecord{3, 0, kContainsOldKey, 0}) + kLaterRow),
              Verdict::newer);
    EXPECT_EQ(judged(RecordType::update, written(UpdateRecord{3, 4, 0, kContainsOldKey, 0, 0}) + kLaterRow),
              Verdict::newer);
    EXPECT_EQ(judged(RecordType::hot_update, written(UpdateRecord{3, 4, 0, kHeadStored, 0, 0}), kLaterRow),
              Verdict::newer);
    EXPECT_EQ(
        judged(RecordType::prune, written(PruneRecord{1, 0, 0, 0, 0, 1}), "\x05\x01\0\x01\0\x04\x01\x02"s),
        Verdict::newer);  // a flag of a freeze plan
    EXPECT_EQ(judged(RecordType::prune, written(PruneRecord{1, 3, 0, 0, 0, 0, true}), "\x01"s),
              Verdict::newer);  // a list beside "all"
    EXPECT_EQ(judged(RecordType::vacuum, written(VacuumRecord{1, 3, 1}), "\x02\x02"s), Verdict::newer);
}

TEST(Judge, BitsOfARowsHeadComeFirst) {
    const std::string record = written(InsertRecord{3, 0});
    EXPECT_EQ(judged(RecordType::insert, record, "\x42\xFF\xFF\x7F"s),
              Verdict::newer);  // laid out differently
    EXPECT_EQ(judged(RecordType::insert, record, "\x80\x03\0\x02\x08\x18"s), Verdict::understood);
    for (const char bit : {'\x01', '\x10', '\x40'})
        EXPECT_EQ(judged(RecordType::insert, record,
                         std::string(1, static_cast<char>('\x80' | bit)) + "\x03\0\x02\x08\x18"s),
                  Verdict::newer);
}

TEST(Judge, HalfOfTheSubtypesIsKeptForRecordsWithoutRows) {
    EXPECT_FALSE((OtherHead{static_cast<OtherRecord>(0x7F), 1}).never_has_rows());
    EXPECT_TRUE((OtherHead{static_cast<OtherRecord>(0x80), 9}).never_has_rows());
    EXPECT_FALSE((OtherHead{static_cast<OtherRecord>(0x80), 1}).is_known());
}

TEST(Judge, DamageIsDamage) {
    EXPECT_EQ(judged(RecordType::insert, ""), Verdict::damaged);
    EXPECT_EQ(judged(RecordType::insert, written(InsertRecord{3, 0}), kDamagedRow), Verdict::damaged);
    EXPECT_EQ(judged(RecordType::visible, "\x01\0\0\0\x02"s), Verdict::damaged);  // frozen, but not visible
    EXPECT_EQ(judged(RecordType::other, "\x02"s), Verdict::damaged);
    EXPECT_EQ(judged(RecordType::other, std::string(20, '\0')), Verdict::damaged);
    EXPECT_EQ(judged(RecordType::prune, written(PruneRecord{1, 3, 1, 1, 0, 0}), "\x01\x02"s),
              Verdict::damaged);
    // What stands behind the damage is not looked at.
    EXPECT_EQ(judged(RecordType::lock, std::string("\0\x80\xFF\x01", 4)), Verdict::damaged);
}

}  // namespace
}  // namespace glassheap::wal::test
