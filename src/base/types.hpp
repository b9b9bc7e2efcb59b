// base/types.hpp — the few scalar types every room speaks.
//
// Why:    a block number, a line pointer number and a frame number are all small integers; names keep
//         them apart in signatures.  They are aliases, not classes, so that they pass PostgreSQL's C API.
// Errors: never longjmps.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassheap {

using BlockNo = std::uint32_t;  // position of a page in a fork
using SlotNo = std::uint16_t;   // line pointer number, 1-based ("offset number" in PostgreSQL)
using FrameNo = std::int32_t;   // >= 0 shared frame, < -1 local frame (-2 - index), -1 none
using Lsn = std::uint64_t;      // position in the WAL
using Xid = std::uint32_t;      // transaction id
using Cid = std::uint32_t;      // command id

inline constexpr BlockNo kInvalidBlock = 0xFFFFFFFFU;
inline constexpr SlotNo kInvalidSlot = 0;
inline constexpr SlotNo kFirstSlot = 1;
inline constexpr FrameNo kNoFrame = -1;
inline constexpr Lsn kInvalidLsn = 0;
inline constexpr Cid kInvalidCid = 0xFFFFFFFFU;
inline constexpr Xid kInvalidXid = 0;
inline constexpr Xid kFrozenXid = 2;
inline constexpr Xid kFirstNormalXid = 3;

}  // namespace glassheap
