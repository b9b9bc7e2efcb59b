// wal/mask.hpp — what of a heap page replay need not reproduce.  Pure.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "page/page_edit.hpp"

namespace glassheap::wal {

// Overwrites LSN, checksum, hints, command ids, unused space and padding, so that the page of the primary and
// the replayed page can be compared byte by byte.
void mask_page(char *bytes, BlockNo block) noexcept;

}  // namespace glassheap::wal
