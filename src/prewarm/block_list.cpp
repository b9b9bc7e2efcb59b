// prewarm/block_list.cpp — the file glassheap.blocks: which pages were in the pool.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/stats.hpp"
#include "pg/pg_introspect.hpp"
#include "prewarm/block_list.hpp"

namespace glassheap::prewarm {

namespace {

constexpr const char *kFirstLine = "glassheap blocks 1\n";

[[noreturn]] void file_error(const char *what, const char *path) {
    ereport(ERROR, (::errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path)));
}

bool parse_line(const char *line, BlockEntry *entry) {
    int end = 0;
    const int fields = std::sscanf(line, "%u,%u,%u,%d,%u%n", &entry->database, &entry->tablespace,
                                   &entry->filenode, &entry->fork, &entry->block, &end);
    return fields == 5 && (line[end] == '\n' || line[end] == '\0') && OidIsValid(entry->database) &&
           OidIsValid(entry->filenode) && entry->fork >= 0 && entry->fork <= MAX_FORKNUM &&
           entry->block != kInvalidBlock;
}

}  // namespace

BlockList pool_block_list() {
    BlockList list;
    for (FrameNo frame = 0; frame < buffer::frame_count(); ++frame) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info, false)) continue;
        list.push_back({.database = pg::database_of(info.file),
                        .tablespace = pg::tablespace_of(info.file),
                        .filenode = pg::number_of(info.file),
                        .fork = static_cast<int>(info.fork),
                        .block = info.block});
    }
    std::sort(list.begin(), list.end());
    return list;
}

int write_block_list(const BlockList &list) {
    char draft[MAXPGPATH];
    ::pg_snprintf(draft, sizeof draft, "%s.%d.tmp", kBlockListFile, MyProcPid);
    FILE *file = ::AllocateFile(draft, PG_BINARY_W);
    if (file == nullptr) file_error("create", draft);
    bool written = std::fputs(kFirstLine, file) >= 0;
    for (const BlockEntry &entry : list) {
        if (!written) break;
        written = ::pg_fprintf(file, "%u,%u,%u,%d,%u\n", entry.database, entry.tablespace, entry.filenode,
                               entry.fork, entry.block) > 0;
    }
    if (!written || std::fflush(file) != 0) {
        const int saved = errno;
        (void)::FreeFile(file);
        (void)::unlink(draft);
        errno = saved;
        file_error("write", draft);
    }
    if (::FreeFile(file) != 0) file_error("close", draft);
    (void)::durable_rename(draft, kBlockListFile, ERROR);
    return static_cast<int>(list.size());
}

BlockList read_block_list() {
    BlockList list;
    FILE *file = ::AllocateFile(kBlockListFile, PG_BINARY_R);
    if (file == nullptr) {
        if (errno == ENOENT) return list;
        file_error("read", kBlockListFile);
    }
    // A pool holds no more pages than frames; a longer file comes from a larger pool.
    const auto most = static_cast<std::size_t>(buffer::frame_count());
    char line[128];
    BlockEntry entry;
    if (std::fgets(line, sizeof line, file) != nullptr && std::strcmp(line, kFirstLine) == 0)
        while (list.size() < most && std::fgets(line, sizeof line, file) != nullptr)
            if (parse_line(line, &entry)) list.push_back(entry);
    (void)::FreeFile(file);
    std::sort(list.begin(), list.end());
    return list;
}

}  // namespace glassheap::prewarm
