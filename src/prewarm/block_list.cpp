// prewarm/block_list.cpp — the file glassheap.blocks: which pages were in the pool.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/stats.hpp"
#include "pg/pg_introspect.hpp"
#include "prewarm/block_list.hpp"

namespace glassheap::prewarm {

namespace {

constexpr const char *kFirstLine = "glassheap blocks 1\n";

int compare_oids(Oid a, Oid b) noexcept {
    return a < b ? -1 : static_cast<int>(a > b);
}

extern "C" int gh_compare_block_entries(const void *left, const void *right) {
    const auto *a = static_cast<const BlockEntry *>(left);
    const auto *b = static_cast<const BlockEntry *>(right);
    if (int order = compare_oids(a->database, b->database)) return order;
    if (int order = compare_oids(a->tablespace, b->tablespace)) return order;
    if (int order = compare_oids(a->filenode, b->filenode)) return order;
    if (a->fork != b->fork) return a->fork < b->fork ? -1 : 1;
    return compare_oids(a->block, b->block);
}

void sort_entries(BlockList *list) {
    ::qsort(list->entries, static_cast<size_t>(list->count), sizeof(BlockEntry), gh_compare_block_entries);
}

BlockEntry *allocate_entries(std::size_t count) {
    return static_cast<BlockEntry *>(
        ::MemoryContextAllocHuge(CurrentMemoryContext, sizeof(BlockEntry) * std::max<std::size_t>(count, 1)));
}

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
    const int frames = buffer::frame_count();
    BlockList list = {allocate_entries(static_cast<std::size_t>(frames)), 0};
    for (FrameNo frame = 0; frame < frames; ++frame) {
        buffer::FrameInfo info;
        if (!buffer::peek_frame(frame, &info, false)) continue;
        list.entries[list.count++] = {.database = pg::database_of(info.node),
                                      .tablespace = pg::tablespace_of(info.node),
                                      .filenode = pg::number_of(info.node),
                                      .fork = static_cast<int>(info.fork),
                                      .block = info.block};
    }
    sort_entries(&list);
    return list;
}

int write_block_list(const BlockList &list) {
    char draft[MAXPGPATH];
    ::pg_snprintf(draft, sizeof draft, "%s.%d.tmp", kBlockListFile, MyProcPid);
    FILE *file = ::AllocateFile(draft, PG_BINARY_W);
    if (file == nullptr) file_error("create", draft);
    bool written = std::fputs(kFirstLine, file) >= 0;
    for (int i = 0; written && i < list.count; ++i) {
        const BlockEntry &entry = list.entries[i];
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
    return list.count;
}

BlockList read_block_list() {
    BlockList list = {nullptr, 0};
    FILE *file = ::AllocateFile(kBlockListFile, PG_BINARY_R);
    if (file == nullptr) {
        if (errno == ENOENT) return list;
        file_error("read", kBlockListFile);
    }
    // A pool holds no more pages than frames; a longer file comes from a larger pool.
    const int capacity = buffer::frame_count();
    list.entries = allocate_entries(static_cast<std::size_t>(capacity));
    char line[128];
    if (std::fgets(line, sizeof line, file) != nullptr && std::strcmp(line, kFirstLine) == 0)
        while (list.count < capacity && std::fgets(line, sizeof line, file) != nullptr)
            if (parse_line(line, &list.entries[list.count])) list.count++;
    (void)::FreeFile(file);
    sort_entries(&list);
    return list;
}

}  // namespace glassheap::prewarm
