// wal/judge.cpp — see wal/judge.hpp.  Pure.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"
//
#include "wal/judge.hpp"

namespace glassheap::wal {

namespace {

constexpr std::uint8_t kTypeBits = 0xF0;

Verdict verdict_of(const ByteReader &in) noexcept {
    if (in.ok()) return Verdict::understood;
    return in.met_unknown() ? Verdict::newer : Verdict::damaged;
}

template <typename Record>
Verdict judge_main(ByteReader in) noexcept {
    Record record;
    parse(in, &record);
    return verdict_of(in);
}

Verdict judge_head(ByteReader in) noexcept {
    RowHead head;
    read_head(in, &head);
    return verdict_of(in);
}

Verdict first_bad(Verdict a, Verdict b) noexcept {
    return a != Verdict::understood ? a : b;
}

Verdict judge_insert(ByteReader main_data, ByteReader rows) noexcept {
    return first_bad(judge_main<InsertRecord>(main_data),
                     rows.left() == 0 ? Verdict::understood : judge_head(rows));
}

Verdict judge_multi_insert(ByteReader main_data, ByteReader rows) noexcept {
    MultiInsertRecord record;
    if (!parse(main_data, &record) || rows.left() == 0) return verdict_of(main_data);
    RowReader reader(rows, record.flags);
    LoggedRow row;
    for (int i = 0; i < record.count; ++i)
        if (!reader.next(&row)) return verdict_of(reader.reader());
    return reader.at_end() ? Verdict::understood : Verdict::newer;
}

Verdict judge_remove(ByteReader main_data) noexcept {
    RemoveRecord record;
    if (!parse(main_data, &record) || (record.flags & kOldRowFlags) == 0) return verdict_of(main_data);
    return judge_head(main_data);
}

Verdict judge_update(ByteReader main_data, ByteReader rows) noexcept {
    UpdateRecord record;
    if (!parse(main_data, &record)) return verdict_of(main_data);
    const bool has_head = rows.left() != 0 && (record.flags & kHeadStored) != 0;
    return first_bad((record.flags & kOldRowFlags) != 0 ? judge_head(main_data) : Verdict::understood,
                     has_head ? judge_head(rows) : Verdict::understood);
}

Verdict judge_prune(ByteReader main_data, ByteReader lists) noexcept {
    PruneRecord record;
    if (!parse(main_data, &record) || lists.left() == 0) return verdict_of(main_data);
    page::Redirect redirects[page::kMaxTuplesPerPage];
    SlotNo slots[SlotSet::kLimit];
    page::FreezePlan plans[page::kMaxTuplesPerPage];
    if (read_redirects(lists, redirects, record.redirected) && read_slots(lists, slots, record.dead) &&
        read_slots(lists, slots, record.unused) && read_freeze(lists, plans, record.frozen))
        lists.expect_end();
    return verdict_of(lists);
}

Verdict judge_vacuum(ByteReader main_data, ByteReader list) noexcept {
    VacuumRecord record;
    if (!parse(main_data, &record) || list.left() == 0) return verdict_of(main_data);
    SlotNo slots[SlotSet::kLimit];
    if (read_slots(list, slots, record.unused)) list.expect_end();
    return verdict_of(list);
}

template <typename Record>
Verdict judge_subtype(ByteReader in, std::uint8_t format) noexcept {
    Record record;
    parse(in, format, &record);
    return verdict_of(in);
}

Verdict judge_other(ByteReader in) noexcept {
    OtherHead head;
    if (!parse(in, &head)) return verdict_of(in);
    // Numbers begin with 1.
    if (static_cast<std::uint8_t>(head.what) == 0 || head.format == 0) return Verdict::damaged;
    if (!head.is_known()) return Verdict::newer;
    switch (head.what) {
        case OtherRecord::fsm_truncate:
            return judge_subtype<FsmTruncateRecord>(in, head.format);
        case OtherRecord::file_event:
            return judge_subtype<FileEventRecord>(in, head.format);
    }
    return Verdict::newer;
}

}  // namespace

Verdict judge(std::uint8_t info, ByteReader main_data, ByteReader page_data) noexcept {
    switch (static_cast<RecordType>(info & kTypeBits)) {
        case RecordType::insert:
        case RecordType::insert_init:
            return judge_insert(main_data, page_data);
        case RecordType::multi_insert:
            return judge_multi_insert(main_data, page_data);
        case RecordType::remove:
            return judge_remove(main_data);
        case RecordType::update:
        case RecordType::hot_update:
            return judge_update(main_data, page_data);
        case RecordType::lock:
            return judge_main<LockRecord>(main_data);
        case RecordType::confirm:
            return judge_main<ConfirmRecord>(main_data);
        case RecordType::prune:
            return judge_prune(main_data, page_data);
        case RecordType::vacuum:
            return judge_vacuum(main_data, page_data);
        case RecordType::visible:
            return judge_main<VisibleRecord>(main_data);
        case RecordType::hint_image:
        case RecordType::new_pages:
            return main_data.left() == 0 ? Verdict::understood : Verdict::newer;
        case RecordType::other:
            return judge_other(main_data);
    }
    return Verdict::newer;
}

}  // namespace glassheap::wal
