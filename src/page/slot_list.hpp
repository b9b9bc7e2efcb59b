// page/slot_list.hpp — some of a page's slots, at most all.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "base/containers.hpp"
#include "page/layout.hpp"

namespace glassheap::page {

using SlotList = FixedVector<SlotNo, kMaxTuplesPerPage>;

}  // namespace glassheap::page
