// storage/grow.cpp — see storage/grow.hpp.
//
// Why:    a page that is reserved is written once, with its rows; one that is written as zeroes, twice.
// Invariants: files.E1 a page that the file has is never written here: others know the new length and may
//            have put rows there.  What fails half-way is continued behind the end of the file.
//         files.E2 the last page of each segment's part goes through smgr, which queues the segment for
//            fsync, and reports the error where there is one.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "storage/grow.hpp"

#include <fcntl.h>

#include "debug/stop_points.hpp"
#include "page/layout.hpp"
#include "pg/pg_files.hpp"
#include "pg/pg_smgr.hpp"
#include "storage/open_segment.hpp"

namespace glassheap::storage {

namespace {

enum ExtendMethod : int { kReserve, kWriteZeros };
int extend_method = kReserve;

// Fewer are written: a reservation has costs of its own, now in the file system and when the page comes.
constexpr BlockNo kReserveFrom = 8;

constexpr BlockNo kZeroRun = 32;  // 256 kB written at once
alignas(4096) constinit char zeroes[kZeroRun * page::kPageSize] = {};

off_t place_in_segment(BlockNo block) noexcept {
    return static_cast<off_t>(block % RELSEG_SIZE) * static_cast<off_t>(page::kPageSize);
}

// Not by posix_fallocate, which writes into each page where the file system cannot reserve.
bool reserve(File file, BlockNo first, BlockNo count) {
    const int fd = ::FileGetRawDesc(file);
    if (fd < 0) return false;
    const off_t bytes = static_cast<off_t>(count) * static_cast<off_t>(page::kPageSize);
    ::pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_EXTEND);
    const int failed = ::fallocate(fd, 0, place_in_segment(first), bytes);
    ::pgstat_report_wait_end();
    return failed == 0;
}

// Zeroes blocks first .. first+count-1 of one open segment in large writes; returns how many are wholly
// written.
BlockNo zero_run(File file, BlockNo first, BlockNo count) {
    BlockNo done = 0;
    while (done < count) {
        const BlockNo now = std::min(kZeroRun, count - done);
        const auto bytes = static_cast<int>(now * page::kPageSize);
        if (done > 0) GH_STOP_POINT("storage.extend_next_run");
        const int written =
            ::FileWrite(file, zeroes, bytes, place_in_segment(first + done), WAIT_EVENT_DATA_FILE_EXTEND);
        if (written != bytes)
            return done + static_cast<BlockNo>(std::max(written, 0)) / static_cast<BlockNo>(page::kPageSize);
        done += now;
    }
    return done;
}

// What a reservation that failed has added: a file system that is full may have reserved a part.
BlockNo end_of_file(SMgrRelation smgr, ForkNumber fork, BlockNo at_least) {
    pg::cached_blocks(smgr, fork) = kInvalidBlock;
    return std::max(at_least, ::smgrnblocks(smgr, fork));
}

// All of [first, end), which is in one segment, but the last page, as far as it can be done in large pieces.
// Returns the first page that is missing.  Whatever keeps a reservation from succeeding (no such thing in
// this file system, a signal, a full disk), writing comes next, and tells.
BlockNo add_run(SMgrRelation smgr, ForkNumber fork, BlockNo first, BlockNo end) {
    if (end - first <= 1) return first;
    const File segment = open_segment(smgr, fork, first);
    if (segment < 0) return first;
    BlockNo block = first;
    if (extend_method == kReserve && end - 1 - first >= kReserveFrom) {
        if (reserve(segment, first, end - 1 - first)) return end - 1;
        GH_STOP_POINT("storage.extend_not_reserved");
        block = end_of_file(smgr, fork, first);
    }
    return block < end - 1 ? block + zero_run(segment, block, end - 1 - block) : block;
}

}  // namespace

void extend_zeroed(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo first,
                   BlockNo count) {
    SMgrRelation smgr = ::smgropen(file, backend);
    const bool temporary = backend != pg::kNoBackend;
    BlockNo block = first;
    const BlockNo end = first + count;
    while (block < end) {
        const BlockNo segment_end = (block / RELSEG_SIZE + 1) * RELSEG_SIZE;
        const BlockNo part_end = std::min(end, segment_end);
        for (block = add_run(smgr, fork, block, part_end); block < part_end; ++block)
            ::smgrextend(smgr, fork, block, zeroes, temporary);
    }
}

void define_settings() {
    static const config_enum_entry kMethods[] = {
        {"posix_fallocate", kReserve, false}, {"write_zeros", kWriteZeros, false}, {nullptr, 0, false}};
    ::DefineCustomEnumVariable(
        "glassheap.file_extend_method", "How tables get several pages at once.",
        "posix_fallocate: disk space is reserved, and written when rows come; write_zeros: zeroes are "
        "written first, for file systems that do badly with reserved space.",
        &extend_method, kReserve, kMethods, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

}  // namespace glassheap::storage
