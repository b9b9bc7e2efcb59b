// wal/judge.hpp — why a record cannot be read: a later version wrote it, or it is damaged.  Pure.
//
// Why:    the two ask for different things: the right library, or a backup.  Asked when parse has failed, and
//         by those who skip records (decoding), for whom "unknown" must not mean "nothing to do".
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "wal/records.hpp"

namespace glassheap::wal {

enum class Verdict : std::uint8_t { understood, newer, damaged };

// `info`: xl_info, or the high four bits of it.  `page_data`: of block 0, empty when an image took its place.
// Only the heads of rows are looked at: their bodies are the table's.
Verdict judge(std::uint8_t info, ByteReader main_data, ByteReader page_data) noexcept;

}  // namespace glassheap::wal
