// storage/files.cpp — see storage/files.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "storage/files.hpp"

#include <sys/stat.h>
#include <sys/uio.h>

#include "page/layout.hpp"
#include "pg/pg_files.hpp"
#include "pg/pg_smgr.hpp"
#include "storage/open_segment.hpp"

namespace glassheap::storage {

namespace {

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

}  // namespace

char *path_of(const pg::RelFile &file, pg::BackendNo backend, ForkNumber fork) {
    return pg::path_of(file, backend, fork);
}

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
