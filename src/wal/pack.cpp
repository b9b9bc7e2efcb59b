// wal/pack.cpp — see pack.hpp.  Pure.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"
//
#include "wal/pack.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace glassheap::wal {

namespace {

bool same_header(const page::FreezePlan &a, const page::FreezePlan &b) noexcept {
    return a.xmax == b.xmax && a.infomask == b.infomask && a.infomask2 == b.infomask2 && a.flags == b.flags;
}

}  // namespace

void write_slots(ByteWriter &out, const SlotSet &set) noexcept {
    unsigned before = 0;
    for (unsigned at = set.next_in(0); at < SlotSet::kLimit; at = set.next_in(before)) {
        const unsigned gap = at - before;
        before = set.next_out(at);
        const unsigned length = before - at;
        out.varint(gap * 2 + (length > 1 ? 1U : 0U));
        if (length > 1) out.varint(length - 2);
    }
}

void write_slots(ByteWriter &out, std::span<const SlotNo> slots) noexcept {
    if (slots.empty()) return;
    SlotSet set;
    for (const SlotNo slot : slots) set.add(slot);
    write_slots(out, set);
}

bool read_slots(ByteReader &in, SlotNo *slots, int count) noexcept {
    std::uint64_t at = 0;
    int done = 0;
    while (done < count && in.ok()) {
        const std::uint32_t head = in.varint();
        at += head / 2;
        const std::uint64_t length = (head & 1U) != 0 ? std::uint64_t{in.varint()} + 2 : 1;
        if (!in.ok() || at + length > SlotSet::kLimit || length > static_cast<std::uint64_t>(count - done)) {
            in.fail();
            break;
        }
        for (std::uint64_t k = 0; k < length; ++k) slots[done++] = static_cast<SlotNo>(at + k);
        at += length;
    }
    return in.ok();
}

void write_redirects(ByteWriter &out, std::span<const page::Redirect> redirects) noexcept {
    for (const page::Redirect &r : redirects) {
        out.varint(r.from);
        out.varint(r.to);
    }
}

bool read_redirects(ByteReader &in, page::Redirect *redirects, int count) noexcept {
    for (int i = 0; i < count && in.ok(); ++i) {
        const std::uint32_t from = in.varint();
        const std::uint32_t to = in.varint();
        if (from > 0xFFFFU || to > 0xFFFFU) in.fail();
        redirects[i] = {static_cast<SlotNo>(from), static_cast<SlotNo>(to)};
    }
    return in.ok();
}

void write_freeze(ByteWriter &out, std::span<const page::FreezePlan> plans) noexcept {
    SlotSet done;
    for (std::size_t i = 0; i < plans.size(); ++i) {
        if (done.has(plans[i].slot)) continue;
        SlotSet group;
        std::uint32_t members = 0;
        for (std::size_t k = i; k < plans.size(); ++k) {
            if (!same_header(plans[i], plans[k])) continue;
            group.add(plans[k].slot);
            done.add(plans[k].slot);
            ++members;
        }
        out.varint(plans[i].xmax);
        out.u16(plans[i].infomask2);
        out.u16(plans[i].infomask);
        out.u8(plans[i].flags);
        out.varint(members);
        write_slots(out, group);
    }
}

bool read_freeze(ByteReader &in, page::FreezePlan *plans, int count) noexcept {
    int done = 0;
    SlotNo slots[SlotSet::kLimit];
    while (done < count && in.ok()) {
        page::FreezePlan plan{};
        plan.xmax = in.varint();
        plan.infomask2 = in.u16();
        plan.infomask = in.u16();
        plan.flags = in.u8();
        in.expect_only(plan.flags, page::kFreezeXvac | page::kInvalidateXvac);
        const std::uint32_t members = in.varint();
        if (members == 0 || members > static_cast<std::uint32_t>(count - done) || members > SlotSet::kLimit)
            in.fail();
        if (!in.ok() || !read_slots(in, slots, static_cast<int>(members))) break;
        for (std::uint32_t i = 0; i < members; ++i) {
            plan.slot = slots[i];
            plans[done++] = plan;
        }
    }
    return in.ok();
}

CommonEnds common_ends(std::span<const char> a, std::span<const char> b) noexcept {
    const std::size_t limit = std::min(a.size(), b.size());
    std::size_t prefix = 0;
    while (prefix + sizeof(std::uint64_t) <= limit &&
           std::memcmp(a.data() + prefix, b.data() + prefix, sizeof(std::uint64_t)) == 0)
        prefix += sizeof(std::uint64_t);
    while (prefix < limit && a[prefix] == b[prefix]) ++prefix;

    const char *a_end = a.data() + a.size();
    const char *b_end = b.data() + b.size();
    const std::size_t rest = limit - prefix;
    std::size_t suffix = 0;
    while (suffix + sizeof(std::uint64_t) <= rest &&
           std::memcmp(a_end - suffix - sizeof(std::uint64_t), b_end - suffix - sizeof(std::uint64_t),
                       sizeof(std::uint64_t)) == 0)
        suffix += sizeof(std::uint64_t);
    while (suffix < rest && *(a_end - suffix - 1) == *(b_end - suffix - 1)) ++suffix;
    return {prefix, suffix};
}

}  // namespace glassheap::wal
