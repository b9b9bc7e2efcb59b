// mvcc/freeze_plan.cpp — header bits of a multixact.
//
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"

#include "mvcc/freeze_plan.hpp"

#include <algorithm>

namespace glassheap::mvcc::rules {

namespace {

// How strong a tuple lock a member of this status holds: key share 0, share 1, no key exclusive 2,
// exclusive 3.
constexpr int strength(std::uint32_t status) noexcept {
    if (status == kNoKeyUpdate) return 2;
    if (status == kUpdate) return 3;
    return static_cast<int>(status);
}

}  // namespace

MultiBits bits_of_members(std::span<const MultiMember> members) noexcept {
    int strongest = 0;
    bool updated = false;
    MultiBits bits{page::kXmaxIsMulti, 0};
    for (const MultiMember &m : members) {
        strongest = std::max(strongest, strength(m.status));
        updated = updated || is_updater(m);
        if (m.status == kForUpdate || m.status == kUpdate) bits.infomask2 = page::kKeysUpdated;
    }
    constexpr std::uint16_t kLockBits[] = {page::kXmaxKeyShareLock, page::kXmaxShareLock, page::kXmaxExclLock,
                                           page::kXmaxExclLock};
    bits.infomask |= kLockBits[strongest];
    if (!updated) bits.infomask |= page::kXmaxLockOnly;
    return bits;
}

}  // namespace glassheap::mvcc::rules
