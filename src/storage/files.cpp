// storage/files.cpp — see storage/files.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "storage/files.hpp"

#include <sys/stat.h>
#include <sys/uio.h>

#include "debug/stop_points.hpp"
#include "page/layout.hpp"
#include "pg/pg_files.hpp"
#include "pg/pg_smgr.hpp"

namespace glassheap::storage {

namespace {

constexpr BlockNo kZeroRun = 32;  // 256 kB written at once
alignas(4096) constinit char zeroes[kZeroRun * page::kPageSize] = {};

struct WriteSite {
    const pg::RelFile *file;
    pg::BackendNo backend;
    ForkNumber fork;
    BlockNo block;
};

extern "C" void glassheap_describe_write(void *arg) {
    const auto *site = static_cast<const WriteSite *>(arg);
    char *path = path_of(*site->file, site->backend, site->fork);
    errcontext("writing block %u of relation %s", site->block, path);
    ::pfree(path);
}

// The storage manager's descriptor of the segment that holds `block`, if it is open and really that file.
File open_segment(SMgrRelation smgr, ForkNumber fork, BlockNo block) {
    const auto segment = block / RELSEG_SIZE;
    const File file = pg::open_segment_file(smgr, fork, segment);
    if (file < 0) return -1;
    char *path = path_of(pg::file_of(smgr), pg::owned_file_of(smgr).backend, fork);
    char expected[MAXPGPATH];
    if (segment == 0)
        ::strlcpy(expected, path, sizeof expected);
    else
        ::pg_snprintf(expected, sizeof expected, "%s.%u", path, segment);
    ::pfree(path);
    return std::strcmp(::FilePathName(file), expected) == 0 ? file : -1;
}

// Zeroes blocks first .. first+count-1 of one open segment in large writes; returns how many are wholly
// written.  From there the caller has to go block by block (which then reports the error, if it is one), and
// not from before: others know the new length and may have put rows there.
BlockNo zero_run(File file, BlockNo first, BlockNo count) {
    const auto base = static_cast<off_t>(first % RELSEG_SIZE) * static_cast<off_t>(page::kPageSize);
    BlockNo done = 0;
    while (done < count) {
        const BlockNo now = std::min(kZeroRun, count - done);
        const auto bytes = static_cast<int>(now * page::kPageSize);
        const off_t at = base + static_cast<off_t>(done) * static_cast<off_t>(page::kPageSize);
        if (done > 0) GH_STOP_POINT("storage.extend_next_run");
        const int written = ::FileWrite(file, zeroes, bytes, at, WAIT_EVENT_DATA_FILE_EXTEND);
        if (written != bytes)
            return done + static_cast<BlockNo>(std::max(written, 0)) / static_cast<BlockNo>(page::kPageSize);
        done += now;
    }
    return done;
}

}  // namespace

char *path_of(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork) {
    return pg::path_of(file, backend, fork);
}

void read_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block, char *page) {
    ::smgrread(::smgropen(file, backend), fork, block, page);
}

BlockNo read_blocks(const pg::RelFile &file, ForkNumber fork, BlockNo first, BlockNo count,
                    char *const *pages) {
    SMgrRelation smgr = ::smgropen(file, pg::kNoBackend);
    const File segment = open_segment(smgr, fork, first);
    const int fd = segment >= 0 ? ::FileGetRawDesc(segment) : -1;
    if (fd < 0) return 0;
    const BlockNo in_segment = first % RELSEG_SIZE;
    const BlockNo most = std::min({count, kReadRunMax, static_cast<BlockNo>(RELSEG_SIZE) - in_segment});
    struct iovec parts[kReadRunMax];
    for (BlockNo i = 0; i < most; ++i) parts[i] = {pages[i], page::kPageSize};
    ::pgstat_report_wait_start(WAIT_EVENT_DATA_FILE_READ);
    const ssize_t bytes = ::preadv(fd, parts, static_cast<int>(most),
                                   static_cast<off_t>(in_segment) * static_cast<off_t>(page::kPageSize));
    ::pgstat_report_wait_end();
    return bytes <= 0 ? 0 : static_cast<BlockNo>(static_cast<std::size_t>(bytes) / page::kPageSize);
}

void write_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block, char *page) {
    WriteSite site = {.file = &file, .backend = backend, .fork = fork, .block = block};
    ErrorContextCallback frame = {error_context_stack, glassheap_describe_write, &site};
    error_context_stack = &frame;
    ::PageSetChecksumInplace(page, block);
    ::smgrwrite(::smgropen(file, backend), fork, block, page, backend != pg::kNoBackend);
    error_context_stack = frame.previous;
}

void write_back(const pg::RelFile &file, ForkNumber fork, BlockNo first, BlockNo count) {
    ::smgrwriteback(::smgropen(file, pg::kNoBackend), fork, first, count);
}

void prefetch_block(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo block) {
#ifdef USE_PREFETCH
    pg::prefetch_block(::smgropen(file, backend), fork, block);
#endif
}

BlockNo block_count(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork) {
    return ::smgrnblocks(::smgropen(file, backend), fork);
}

void extend_zeroed(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork, BlockNo first,
                   BlockNo count) {
    SMgrRelation smgr = ::smgropen(file, backend);
    const bool temporary = backend != pg::kNoBackend;
    BlockNo block = first;
    const BlockNo end = first + count;
    while (block < end) {
        // The last block of each segment's part goes through smgr, which queues the file for fsync.
        const BlockNo segment_end = (block / RELSEG_SIZE + 1) * RELSEG_SIZE;
        const BlockNo part_end = std::min(end, segment_end);
        if (part_end - block > 1) {
            const File segment = open_segment(smgr, fork, block);
            if (segment >= 0) block += zero_run(segment, block, part_end - 1 - block);
        }
        for (; block < part_end; ++block) ::smgrextend(smgr, fork, block, zeroes, temporary);
    }
}

bool file_exists(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork) {
    char *path = path_of(file, backend, fork);
    struct stat info;
    const bool exists = ::stat(path, &info) == 0;
    ::pfree(path);
    return exists;
}

void create_file_in_redo(const pg::RelFile &file, ForkNumber fork) {
    ::smgrcreate(::smgropen(file, pg::kNoBackend), fork, true);
}

bool page_is_intact(char *page, BlockNo block) {
    // A failure that the user wants ignored must still be reported, so it is not intact.
    const bool ignored = std::exchange(ignore_checksum_failure, false);
    const bool intact = pg::is_page_verified(page, block, pg::PageReport::nothing);
    ignore_checksum_failure = ignored;
    return intact;
}

bool page_is_verified(char *page, BlockNo block) {
    return pg::is_page_verified(page, block, pg::PageReport::log_and_count);
}

}  // namespace glassheap::storage
