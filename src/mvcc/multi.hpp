// mvcc/multi.hpp — members of a multixact, as the pure rules take them.
//
// Errors: may longjmp (SLRU reads, multixacts that do not exist).
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "mvcc/freeze_plan.hpp"
#include "pg/pg.hpp"

namespace glassheap::mvcc {

static_assert(sizeof(rules::MultiMember) == sizeof(::MultiXactMember));
static_assert(offsetof(::MultiXactMember, status) == offsetof(rules::MultiMember, status));
static_assert(::MultiXactStatusForKeyShare == static_cast<int>(rules::kForKeyShare) &&
              ::MultiXactStatusForShare == static_cast<int>(rules::kForShare) &&
              ::MultiXactStatusForNoKeyUpdate == static_cast<int>(rules::kForNoKeyUpdate) &&
              ::MultiXactStatusForUpdate == static_cast<int>(rules::kForUpdate) &&
              ::MultiXactStatusNoKeyUpdate == static_cast<int>(rules::kNoKeyUpdate) &&
              ::MultiXactStatusUpdate == static_cast<int>(rules::kUpdate));

// A multixact's members, palloc'd; released on the way out, or with the memory context on error.
class MultiMembers {
public:
    MultiMembers(MultiXactId multi, bool locks_only) {
        count_ = ::GetMultiXactIdMembers(multi, &members_, false, locks_only);
    }
    ~MultiMembers() {
        if (count_ > 0) ::pfree(members_);
    }
    MultiMembers(const MultiMembers &) = delete;
    MultiMembers &operator=(const MultiMembers &) = delete;

    std::span<const rules::MultiMember> span() const noexcept {
        if (count_ <= 0) return {};
        return {reinterpret_cast<const rules::MultiMember *>(members_), static_cast<std::size_t>(count_)};
    }

private:
    ::MultiXactMember *members_ = nullptr;
    int count_ = 0;
};

// The updating member; at most one exists.  Precondition: xmax is a multixact that does not only lock.
inline Xid updater_in_multi(MultiXactId multi) {
    const MultiMembers members(multi, false);
    for (const rules::MultiMember &m : members.span()) {
        if (rules::is_updater(m)) return m.xid;
    }
    return kInvalidXid;
}

// The rules' view of a tuple header.
inline const page::TupleHead &head_of(HeapTupleHeader tuple) noexcept {
    return *reinterpret_cast<const page::TupleHead *>(tuple);
}

}  // namespace glassheap::mvcc
