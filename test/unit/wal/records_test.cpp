// test/unit/wal/records_test.cpp — every record survives being written and read; damaged ones are refused.
// SPDX-License-Identifier: PostgreSQL
#include "wal/records.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "wal/mask.hpp"

namespace glassheap::wal::test {
namespace {

// Writes, reads back, and tries every shorter piece: none may be accepted.
template <typename Record>
Record round_trip(const Record &record, std::size_t *size = nullptr) {
    char bytes[kMainDataMax];
    ByteWriter out(bytes, sizeof bytes);
    write(out, record);
    if (size != nullptr) *size = out.size();
    Record back{};
    ByteReader in(bytes, out.size());
    EXPECT_TRUE(parse(in, &back));
    EXPECT_EQ(in.left(), 0U);
    for (std::size_t shorter = 0; shorter < out.size(); ++shorter) {
        Record damaged{};
        ByteReader cut(bytes, shorter);
        EXPECT_FALSE(parse(cut, &damaged)) << shorter;
        EXPECT_FALSE(cut.met_unknown()) << shorter;
    }
    // Nor may anything follow: a later version's field would be overlooked.
    char longer[kMainDataMax + 1] = {};
    std::memcpy(longer, bytes, out.size());
    Record appended{};
    ByteReader with_more(longer, out.size() + 1);
    EXPECT_FALSE(parse(with_more, &appended));
    EXPECT_TRUE(with_more.met_unknown());
    return back;
}

TEST(Records, InsertTakesOneByteOrTwo) {
    std::size_t size;
    InsertRecord back = round_trip(InsertRecord{17, 0}, &size);
    EXPECT_EQ(size, 1U);
    EXPECT_EQ(back.slot, 17);
    back = round_trip(InsertRecord{290, kClearVm | kContainsNewTuple}, &size);
    EXPECT_EQ(size, 3U);
    EXPECT_EQ(back.slot, 290);
    EXPECT_EQ(back.flags, kClearVm | kContainsNewTuple);
}

TEST(Records, RemoveStoresXmaxOnlyWhenTold) {
    std::size_t size;
    RemoveRecord back = round_trip(RemoveRecord{3, 0x44, 0, 777}, &size);
    EXPECT_EQ(size, 2U);
    EXPECT_EQ(back.xmax, kInvalidXid);
    EXPECT_EQ(back.mark, 0x44);
    back = round_trip(RemoveRecord{3, 0x44, kXmaxStored | kClearVm, 777}, &size);
    EXPECT_EQ(size, 7U);
    EXPECT_EQ(back.xmax, 777U);
    EXPECT_EQ(back.mark, 0x44);
    EXPECT_EQ(back.flags, kXmaxStored | kClearVm);
}

TEST(Records, UpdateStoresXidsOnlyWhenTold) {
    std::size_t size;
    UpdateRecord record{5, 6, 0x04, 0, 1000, 2000};
    UpdateRecord back = round_trip(record, &size);
    EXPECT_EQ(size, 3U);
    EXPECT_EQ(back.old_slot, 5);
    EXPECT_EQ(back.new_slot, 6);
    EXPECT_EQ(back.flags, 0);
    EXPECT_EQ(back.new_xmax, kInvalidXid);
    record.flags = kXmaxStored | kNewXmaxStored | kHeadStored | kBodyStored;
    back = round_trip(record, &size);
    EXPECT_EQ(size, 13U);
    EXPECT_EQ(back.flags, record.flags);
    EXPECT_EQ(back.old_xmax, 1000U);
    EXPECT_EQ(back.new_xmax, 2000U);
}

std::size_t written(const RowHead &head) {
    char bytes[kRowHeadMax];
    ByteWriter out(bytes, sizeof bytes);
    write_head(out, head);
    RowHead back{};
    ByteReader in(bytes, out.size());
    EXPECT_TRUE(read_head(in, &back));
    EXPECT_TRUE(back == head) << head.infomask << ' ' << head.infomask2;
    ByteReader cut(bytes, out.size() - 1);
    EXPECT_FALSE(read_head(cut, &back));
    return out.size();
}

TEST(Records, OrdinaryHeadsTakeTwoBytesOthersSix) {
    EXPECT_EQ(written({3, page::kXmaxInvalid, 24}), 2U);
    EXPECT_EQ(written({8, page::kXmaxInvalid | page::kHasNull | page::kHasVarWidth, 24}), 2U);
    EXPECT_EQ(written({9, page::kXmaxInvalid | page::kHasNull, 32}), 2U);
    EXPECT_EQ(written({200, page::kXmaxInvalid | page::kXminFrozen, 24}), 3U);
    EXPECT_EQ(written({4 | page::kHeapOnly, page::kXmaxInvalid | page::kUpdated, 24}), 2U);
    EXPECT_EQ(written({4, page::kXmaxIsMulti | page::kXmaxLockOnly, 24}), 6U);
    EXPECT_EQ(written({4, page::kXmaxInvalid, 32}), 6U);  // an unexpected hoff
    EXPECT_EQ(written({4, page::kXmaxInvalid | page::kXminCommitted, 24}), 6U);
    EXPECT_EQ(written({4 | page::kKeysUpdated, page::kXmaxInvalid, 24}), 6U);
}

// The bytes themselves: they outlive this version.
TEST(Records, HeadsAreTheseBytes) {
    const auto bytes_of = [](const RowHead &head) {
        char bytes[kRowHeadMax];
        ByteWriter out(bytes, sizeof bytes);
        write_head(out, head);
        return std::string(bytes, out.size());
    };
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid, 24}), std::string("\x00\x03", 2));
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid | page::kHasNull, 24}), "\x01\x03");
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid | page::kHasVarWidth, 24}), "\x02\x03");
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid | page::kHasExternal, 24}), "\x04\x03");
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid | page::kXminFrozen, 24}), "\x08\x03");
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid | page::kUpdated, 24}), "\x10\x03");
    EXPECT_EQ(bytes_of({3 | page::kHeapOnly, page::kXmaxInvalid, 24}), "\x20\x03");
    EXPECT_EQ(bytes_of({1600, page::kXmaxInvalid | page::kHasNull, 224}), "\x01\xC0\x0C");
    EXPECT_EQ(bytes_of({3, page::kXmaxInvalid, 32}), std::string("\x80\x03\x00\x00\x08\x20", 6));
}

// Every infomask: two bytes for what an ordinary row may have, and for nothing else.
TEST(Records, EveryHeadComesBack) {
    std::vector<bool> ordinary(0x10000, false);
    for (const std::uint16_t null : {0, +page::kHasNull})
        for (const std::uint16_t width : {0, +page::kHasVarWidth})
            for (const std::uint16_t external : {0, +page::kHasExternal})
                for (const std::uint16_t frozen : {0, +page::kXminFrozen})
                    for (const std::uint16_t updated : {0, +page::kUpdated})
                        ordinary[static_cast<std::size_t>(null | width | external | frozen | updated |
                                                          page::kXmaxInvalid)] = true;
    for (unsigned mask = 0; mask < 0x10000U; ++mask) {
        const auto infomask = static_cast<std::uint16_t>(mask);
        const std::size_t size = ordinary[mask] ? 2 : 6;
        ASSERT_EQ(written({5, infomask, 24}), size) << mask;
        ASSERT_EQ(written({5 | page::kHeapOnly, infomask, 24}), size) << mask;
        ASSERT_EQ(written({5 | page::kHotUpdated, infomask, 24}), 6U) << mask;
        ASSERT_EQ(written({5, infomask, 32}), 6U) << mask;
    }
}

TEST(Records, TheOthersComeBack) {
    const LockRecord lock = round_trip(LockRecord{9, 0x0A, kClearFrozen | kXmaxStored, 5});
    EXPECT_EQ(lock.slot, 9);
    EXPECT_EQ(lock.xmax, 5U);
    EXPECT_EQ(round_trip(ConfirmRecord{4}).slot, 4);
    const PruneRecord prune = round_trip(PruneRecord{123, 3, 200, 90, 1, 0});
    EXPECT_EQ(prune.redirected, 200);
    EXPECT_EQ(prune.dead, 90);
    EXPECT_EQ(prune.unused, 1);
    EXPECT_TRUE(prune.needs_cleanup());
    EXPECT_FALSE(round_trip(PruneRecord{123, 3, 0, 0, 0, 291}).needs_cleanup());
    EXPECT_FALSE(prune.freezes_all);
    const PruneRecord whole = round_trip(PruneRecord{123, 3, 0, 0, 0, 0, true});
    EXPECT_TRUE(whole.freezes_all);
    EXPECT_EQ(whole.vm_bits, 3);
    EXPECT_FALSE(whole.needs_cleanup());
    EXPECT_EQ(round_trip(VacuumRecord{1, 3, 291}).unused, 291);
    EXPECT_EQ(round_trip(VisibleRecord{7, 3}).vm_bits, 3);
}

// ---- other: a head, then the record of that kind
template <typename Record>
Record behind_head(const Record &record, OtherRecord what) {
    char bytes[kMainDataMax] = {};
    ByteWriter out(bytes, sizeof bytes);
    write(out, record);
    ByteReader in(bytes, out.size());
    OtherHead head;
    EXPECT_TRUE(parse(in, &head));
    EXPECT_EQ(head.what, what);
    EXPECT_TRUE(head.is_known());
    Record back{};
    ByteReader longer(in.rest(), in.left() + 1);
    EXPECT_FALSE(parse(longer, head.format, &back));
    EXPECT_TRUE(longer.met_unknown());
    ByteReader later(in.rest(), in.left());
    EXPECT_FALSE(parse(later, head.format + 1, &back));
    EXPECT_TRUE(later.met_unknown());
    EXPECT_TRUE(parse(in, head.format, &back));
    EXPECT_EQ(in.left(), 0U);
    return back;
}

TEST(Records, OtherRecordsComeBack) {
    EXPECT_EQ(behind_head(FsmTruncateRecord{1, 2, 3, 4}, OtherRecord::fsm_truncate).heap_blocks, 4U);
    EXPECT_EQ(behind_head(FileEventRecord{1, 2, 3, FileEvent::resolved}, OtherRecord::file_event).what,
              FileEvent::resolved);
}

TEST(Records, WhatANewerVersionWroteIsNotKnown) {
    EXPECT_FALSE((OtherHead{static_cast<OtherRecord>(3), 1}.is_known()));
    const std::uint8_t newest = newest_format(OtherRecord::file_event);
    EXPECT_TRUE((OtherHead{OtherRecord::file_event, newest}.is_known()));
    EXPECT_FALSE((OtherHead{OtherRecord::file_event, static_cast<std::uint8_t>(newest + 1)}.is_known()));
    EXPECT_FALSE((OtherHead{OtherRecord::fsm_truncate, 0}.is_known()));
    // What an earlier version wrote is.
    EXPECT_TRUE(is_read(1, 2));
    EXPECT_TRUE(is_read(2, 2));
    EXPECT_FALSE(is_read(3, 2));
    EXPECT_FALSE(is_read(0, 2));
    ByteReader in("\x01", 1);
    OtherHead head;
    EXPECT_FALSE(parse(in, &head));
}

TEST(Records, ImpossibleCountsAreRefused) {
    char bytes[kMainDataMax];
    ByteWriter out(bytes, sizeof bytes);
    write(out, PruneRecord{1, 0, 400, 0, 0, 0});
    PruneRecord r;
    ByteReader in(bytes, out.size());
    EXPECT_FALSE(parse(in, &r));
}

TEST(Records, APageThatFreezesAsAWholeHasNoLists) {
    for (const PruneRecord &also :
         {PruneRecord{1, 0, 1, 0, 0, 0, true}, PruneRecord{1, 0, 0, 1, 0, 0, true},
          PruneRecord{1, 0, 0, 0, 1, 0, true}, PruneRecord{1, 0, 0, 0, 0, 1, true}}) {
        char bytes[kMainDataMax];
        ByteWriter out(bytes, sizeof bytes);
        write(out, also);
        PruneRecord r;
        ByteReader in(bytes, out.size());
        EXPECT_FALSE(parse(in, &r));
        EXPECT_FALSE(in.met_unknown());
    }
}

// Read as Record from these bytes: 1 understood, 0 damaged, -1 unknown to this version.
template <typename Record>
int outcome(std::initializer_list<unsigned> values) {
    std::vector<char> bytes;
    for (const unsigned value : values) bytes.push_back(static_cast<char>(value));
    ByteReader in(bytes.data(), bytes.size());
    Record r{};
    if (parse(in, &r)) return 1;
    return in.met_unknown() ? -1 : 0;
}
int expected(unsigned bits, unsigned known) {
    return (bits & ~known) == 0 ? 1 : -1;
}

TEST(Records, UnknownFlagsAreRefused) {
    for (unsigned flag = 1; flag <= 0x80; flag <<= 1) {
        EXPECT_EQ(outcome<InsertRecord>({7, flag}), expected(flag, kInsertFlags)) << flag;
        // A varint of two bytes, with xmax behind it if that is what the flag says.
        const unsigned low = flag & 0x7FU, high = flag >> 7;
        if (flag != kXmaxStored) {
            EXPECT_EQ(outcome<RemoveRecord>({3, 0x80, low | 0x80U, high}), expected(flag, kRemoveFlags))
                << flag;
            EXPECT_EQ(outcome<LockRecord>({3, 0x80, low | 0x80U, high}), expected(flag, kLockFlags)) << flag;
        }
    }
    // Behind the bits that the struct has room for.
    for (unsigned flag = 2; flag <= 0x40; flag <<= 1) {
        EXPECT_EQ(outcome<RemoveRecord>({3, 0x80, 0x80, flag}), -1) << flag;
        EXPECT_EQ(outcome<LockRecord>({3, 0x80, 0x80, flag}), -1) << flag;
        EXPECT_EQ(outcome<UpdateRecord>({3, 4, 0x80, 0x80, flag}), expected(flag << 7, kUpdateFlags)) << flag;
        EXPECT_EQ(outcome<UpdateRecord>({3, 4, 0x80, 0x80, 0x80, flag}), -1) << flag;
    }
    EXPECT_EQ(outcome<UpdateRecord>({3, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10}), 0);  // more than 32 bits
}

TEST(Records, OldRowsFollowOnlyWhereAFlagSaysSo) {
    EXPECT_EQ(outcome<RemoveRecord>({3, 0x80, kContainsOldKey, 9, 9}), 1);
    EXPECT_EQ(outcome<RemoveRecord>({3, 0x80, kClearVm, 9, 9}), -1);
    EXPECT_EQ(outcome<UpdateRecord>({3, 4, 0x80, kContainsOldTuple, 9, 9}), 1);
    EXPECT_EQ(outcome<UpdateRecord>({3, 4, 0x80, kClearVm, 9, 9}), -1);
    EXPECT_EQ(outcome<MultiInsertRecord>({kInitPage, 1, 9}), -1);
    EXPECT_EQ(outcome<MultiInsertRecord>({kSlotsInRow, 1, 9, 9}), -1);
    EXPECT_EQ(outcome<MultiInsertRecord>({0, 1, 9, 0, 9}), -1);
}

TEST(Records, OnlyBitsOfOneBlockComeFromARecord) {
    for (unsigned bits = 0; bits < 0x100; ++bits) {
        const int map_bits = (bits & ~unsigned{kVmBits}) != 0 ? -1 : bits == kVmFrozenOnly ? 0 : 1;
        EXPECT_EQ(outcome<VacuumRecord>({1, 0, 0, 0, bits, 5}), map_bits) << bits;
        EXPECT_EQ(outcome<VisibleRecord>({1, 0, 0, 0, bits}), map_bits) << bits;
        if (bits < 0x10) {
            const int but_for_freezing = (bits & 0x04) != 0 ? -1 : (bits & kVmBits) == kVmFrozenOnly ? 0 : 1;
            EXPECT_EQ(outcome<PruneRecord>({1, 0, 0, 0, bits}), but_for_freezing) << bits;
        }
    }
}

TEST(Records, UnknownBitsOfRowHeadsAreRefused) {
    for (unsigned packed = 0; packed < 0x80; ++packed) {
        const char bytes[] = {static_cast<char>(packed), 3};
        ByteReader in(bytes, sizeof bytes);
        RowHead head;
        EXPECT_EQ(read_head(in, &head), packed < 0x40) << packed;
        EXPECT_EQ(in.met_unknown(), packed >= 0x40) << packed;
    }
}

TEST(Records, MarksKeepEveryBit) {
    constexpr std::uint16_t kBits[] = {page::kXmaxIsMulti,      page::kXmaxLockOnly,  page::kXmaxExclLock,
                                       page::kXmaxKeyShareLock, page::kXmaxCommitted, page::kXmaxInvalid};
    for (unsigned set = 0; set < 64; ++set) {
        unsigned infomask = 0;
        for (unsigned b = 0; b < 6; ++b)
            if ((set >> b) & 1U) infomask |= kBits[b];
        for (const std::uint16_t keys : {std::uint16_t{0}, page::kKeysUpdated}) {
            const page::XmaxMark back =
                unpack_mark(pack_mark(static_cast<std::uint16_t>(infomask), keys), 42);
            EXPECT_EQ(back.infomask_bits, infomask);
            EXPECT_EQ(back.infomask2_bits, keys);
            EXPECT_EQ(back.xmax, 42U);
            EXPECT_EQ(back.cid, 0U);
        }
    }
}

// ---- rows

struct Row {
    alignas(8) char bytes[512];
    std::size_t length;
    std::span<const char> body() const {
        const RowHead head = head_of(bytes);
        return {bytes + head.body_start(), length - head.body_start()};
    }
};

Row make_row(const std::string &data, bool nulls, std::uint16_t infomask2 = 3) {
    Row row{};
    auto *head = reinterpret_cast<page::TupleHead *>(row.bytes);
    head->infomask2 = infomask2;
    head->infomask = static_cast<std::uint16_t>(page::kHasVarWidth | (nulls ? page::kHasNull : 0));
    head->hoff = 24;
    if (nulls) row.bytes[23] = 0x05;
    std::memcpy(row.bytes + 24, data.data(), data.size());
    row.length = 24 + data.size();
    return row;
}

TEST(Records, BuildTupleRestoresWhatTheRecordLeftOut) {
    for (const bool nulls : {false, true}) {
        const Row row = make_row("some data", nulls);
        alignas(8) char back[page::kPageSize];
        std::memset(back, 0xAA, sizeof back);
        const std::size_t length =
            build_tuple(back, head_of(row.bytes), row.body(), 100, 200, page::RowAddress::make(7, 8));
        ASSERT_EQ(length, row.length);
        const auto *head = reinterpret_cast<const page::TupleHead *>(back);
        EXPECT_EQ(head->xmin, 100U);
        EXPECT_EQ(head->xmax, 200U);
        EXPECT_EQ(head->ctid, page::RowAddress::make(7, 8));
        EXPECT_EQ(std::memcmp(back + 18, row.bytes + 18, length - 18), 0);
    }
}

TEST(Records, BuildTupleRefusesNonsense) {
    alignas(8) char back[page::kPageSize];
    const std::string huge(page::kPageSize, 'x');
    EXPECT_EQ(build_tuple(back, RowHead{1, 0, 24}, huge, 1, 0, {}), 0U);
    EXPECT_EQ(build_tuple(back, RowHead{1, page::kHasNull, 64}, std::string("abc"), 1, 0, {}), 0U);
}

std::vector<Row> read_back(const char *bytes, std::size_t size, std::uint8_t flags, int count, bool *clean) {
    std::vector<Row> rows;
    RowReader reader(ByteReader(bytes, size), flags);
    *clean = true;
    for (int i = 0; i < count; ++i) {
        LoggedRow logged;
        if (!reader.next(&logged)) {
            *clean = false;
            return rows;
        }
        Row row{};
        alignas(8) char full[page::kPageSize];
        row.length = build_tuple(full, logged.head, logged.body, 0, 0, {});
        std::memcpy(row.bytes, full, row.length);
        rows.push_back(row);
    }
    *clean = reader.at_end();
    return rows;
}

TEST(Records, ManyRowsComeBackWhateverTheyShare) {
    std::mt19937 random(5);
    for (int round = 0; round < 300; ++round) {
        const bool vary_length = random() % 2 == 0;
        const bool vary_head = random() % 2 == 0;
        const int count = 1 + static_cast<int>(random() % 20);
        std::vector<Row> rows;
        for (int i = 0; i < count; ++i)
            rows.push_back(make_row(std::string(vary_length ? random() % 50 : 11, static_cast<char>('a' + i)),
                                    vary_head && random() % 2 == 0));
        std::vector<const char *> tuples;
        std::vector<std::size_t> lengths;
        for (const Row &row : rows) {
            tuples.push_back(row.bytes);
            lengths.push_back(row.length);
        }
        char bytes[page::kPageSize];
        std::uint8_t flags = kLastInMulti;
        const std::size_t size =
            write_rows(bytes, sizeof bytes, tuples.data(), lengths.data(), count, &flags);
        EXPECT_NE(flags & kLastInMulti, 0);
        if (!vary_head) {
            EXPECT_NE(flags & kSameHead, 0);
        }
        if (!vary_length && !vary_head) {
            EXPECT_NE(flags & kSameLength, 0);
        }
        bool clean;
        const std::vector<Row> back = read_back(bytes, size, flags, count, &clean);
        ASSERT_TRUE(clean);
        for (int i = 0; i < count; ++i) {
            const auto k = static_cast<std::size_t>(i);
            ASSERT_EQ(back[k].length, rows[k].length);
            EXPECT_EQ(std::memcmp(back[k].bytes + 18, rows[k].bytes + 18, rows[k].length - 18), 0);
        }
        read_back(bytes, size - 1, flags, count, &clean);
        EXPECT_FALSE(clean);
    }
}

TEST(Records, MultiInsertSlots) {
    char bytes[64];
    ByteWriter out(bytes, sizeof bytes);
    write_fixed(out, MultiInsertRecord{0, 3, 9, nullptr});
    for (const SlotNo s : {SlotNo{9}, SlotNo{11}, SlotNo{2}}) out.u16(s);
    MultiInsertRecord r;
    ByteReader in(bytes, out.size());
    ASSERT_TRUE(parse(in, &r));
    EXPECT_EQ(r.slot(0), 9);
    EXPECT_EQ(r.slot(1), 11);
    EXPECT_EQ(r.slot(2), 2);

    ByteWriter in_row(bytes, sizeof bytes);
    write_fixed(in_row, MultiInsertRecord{kSlotsInRow, 3, 9, nullptr});
    ByteReader in2(bytes, in_row.size());
    ASSERT_TRUE(parse(in2, &r));
    EXPECT_EQ(r.slot(2), 11);

    ByteWriter init(bytes, sizeof bytes);
    write_fixed(init, MultiInsertRecord{kSlotsInRow | kInitPage, 3, 1, nullptr});
    EXPECT_EQ(init.size(), 2U);
    ByteReader in3(bytes, init.size());
    ASSERT_TRUE(parse(in3, &r));
    EXPECT_EQ(r.slot(2), 3);
}

// ---- updates

TEST(Records, UpdateDeltaRebuildsTheNewRow) {
    std::mt19937 random(9);
    for (int round = 0; round < 1000; ++round) {
        std::string a(random() % 80, 'a');
        for (char &c : a) c = static_cast<char>('a' + random() % 26);
        std::string b = a;
        for (unsigned i = random() % 3; i > 0 && !b.empty(); --i) b[random() % b.size()] = '#';
        const Row old_row = make_row(a, true);
        const Row new_row = make_row(b, true);
        const CommonEnds ends = common_ends(old_row.body(), new_row.body());
        char data[1024];
        ByteWriter out(data, sizeof data);
        write_head(out, head_of(new_row.bytes));
        out.varint(static_cast<std::uint32_t>(ends.prefix));
        out.varint(static_cast<std::uint32_t>(ends.suffix));
        const auto middle =
            new_row.body().subspan(ends.prefix, new_row.body().size() - ends.prefix - ends.suffix);
        out.bytes(middle.data(), middle.size());

        UpdateRecord r{};
        r.flags = kHeadStored;
        LoggedUpdate logged;
        ASSERT_TRUE(
            parse_update_data(ByteReader(data, out.size()), r, head_of(old_row.bytes), false, &logged));
        char body[page::kPageSize];
        const std::size_t length = build_update_body(body, logged, old_row.body());
        ASSERT_EQ(length, new_row.body().size());
        EXPECT_EQ(std::memcmp(body, new_row.body().data(), length), 0);
        // An old row that is shorter than the record believes is noticed.
        if (ends.prefix + ends.suffix > 0) {
            EXPECT_EQ(build_update_body(body, logged, old_row.body().first(ends.prefix + ends.suffix - 1)),
                      0U);
        }
    }
}

TEST(Records, ExpectedHeadKeepsLayoutAndDropsHistory) {
    const RowHead old_head{
        static_cast<std::uint16_t>(5 | page::kHeapOnly | page::kHotUpdated | page::kKeysUpdated),
        static_cast<std::uint16_t>(page::kHasNull | page::kHasVarWidth | page::kXminCommitted |
                                   page::kXmaxExclLock),
        24};
    const RowHead hot = expected_head(old_head, true);
    EXPECT_EQ(hot.infomask2, 5 | page::kHeapOnly);
    EXPECT_EQ(hot.infomask, page::kHasNull | page::kHasVarWidth | page::kUpdated | page::kXmaxInvalid);
    EXPECT_EQ(hot.hoff, 24);
    EXPECT_EQ(expected_head(old_head, false).infomask2, 5);
}

// ---- masking

class MaskTest : public ::testing::Test {
protected:
    MaskTest() {
        page::PageEdit(a_).init();
        const Row row = make_row("12345", false);
        EXPECT_TRUE(page::PageEdit(a_).put_tuple(1, row.bytes, row.length));
        std::memcpy(b_, a_, sizeof a_);
    }
    bool equal_when_masked() {
        mask_page(a_, 7);
        mask_page(b_, 7);
        return std::memcmp(a_, b_, sizeof a_) == 0;
    }
    alignas(8) char a_[page::kPageSize];
    alignas(8) char b_[page::kPageSize];
};

TEST_F(MaskTest, HidesHintsLsnCommandIdAndUnusedSpace) {
    page::PageEdit b(b_);
    b.set_lsn(99);
    b.head().checksum = 3;
    b.set_full(true);
    b.set_prune_xid(500);
    b.tuple(1).infomask |= page::kXminCommitted | page::kXmaxInvalid;
    b.tuple(1).cid = 12;
    b_[page::kHeaderSize + 100] = 'x';                  // between lower and upper
    b_[b.line(1).offset() + b.line(1).length()] = 'x';  // padding behind the tuple
    EXPECT_TRUE(equal_when_masked());
}

TEST_F(MaskTest, ShowsDataXidsAndLinks) {
    b_[page::PageView(b_).line(1).offset() + 25] = 'X';
    EXPECT_FALSE(equal_when_masked());
}

TEST_F(MaskTest, ShowsXmax) {
    page::PageEdit(b_).tuple(1).xmax = 5;
    EXPECT_FALSE(equal_when_masked());
}

TEST_F(MaskTest, ShowsAFrozenXmin) {
    page::PageEdit(a_).tuple(1).infomask |= page::kXminFrozen;
    EXPECT_FALSE(equal_when_masked());
}

}  // namespace
}  // namespace glassheap::wal::test
