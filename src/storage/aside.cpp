// storage/aside.cpp — see storage/aside.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "storage/aside.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page/layout.hpp"
#include "pg/pg_files.hpp"
#include "storage/files.hpp"

namespace glassheap::storage {

namespace {

constexpr const char *kFolder = "glassheap_two_pools";
constexpr const char *kFresh = ".new";  // a page that is being written

struct Path {
    char text[MAXPGPATH];
};

Path mark_path(const pg::RelFile &file) noexcept {
    Path path;
    ::pg_snprintf(path.text, sizeof path.text, "%s/%u_%u_%u", kFolder, pg::tablespace_of(file),
                  pg::database_of(file), pg::number_of(file));
    return path;
}

Path page_path(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    Path path;
    ::pg_snprintf(path.text, sizeof path.text, "%s/%u_%u_%u_%d_%u", kFolder, pg::tablespace_of(file),
                  pg::database_of(file), pg::number_of(file), static_cast<int>(fork), block);
    return path;
}

[[noreturn]] void fail(const char *what, const char *path) {
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path),
                    errdetail("It keeps what belongs to a glassheap table that is in two buffer pools.")));
    pg_unreachable();
}

// A folder that some systems cannot sync needs none.
bool sync_folder(const char *path) noexcept {
    const int fd = ::open(path, O_RDONLY);
    if (fd < 0) return false;
    const bool ok = ::pg_fsync(fd) == 0 || errno == EBADF || errno == EINVAL;
    const int why = errno;
    ::close(fd);
    errno = why;
    return ok;
}

bool make_folder() noexcept {
    if (::mkdir(kFolder, static_cast<mode_t>(pg_dir_create_mode)) == 0) return sync_folder(".");
    return errno == EEXIST;
}

// Opened without the virtual descriptors: it may stand in a critical section.
bool write_synced(const char *path, const char *bytes, std::size_t count) noexcept {
    const int fd = ::BasicOpenFile(path, O_CREAT | O_TRUNC | O_WRONLY | PG_BINARY);
    if (fd < 0) return false;
    errno = 0;
    const bool ok = ::write(fd, bytes, count) == static_cast<ssize_t>(count) && ::pg_fsync(fd) == 0;
    const int why = errno != 0 ? errno : ENOSPC;
    ::close(fd);
    if (ok) return true;
    ::unlink(path);
    errno = why;
    return false;
}

bool parse_name(const char *name, pg::RelFile *file, bool *is_mark) noexcept {
    unsigned spc, db, rel, fork, block;
    int length = 0;
    const auto whole = static_cast<int>(std::strlen(name));
    *is_mark = std::sscanf(name, "%u_%u_%u%n", &spc, &db, &rel, &length) == 3 && length == whole;
    if (!*is_mark && std::sscanf(name, "%u_%u_%u_%u_%u%n", &spc, &db, &rel, &fork, &block, &length) != 5)
        return false;
    *file = {spc, db, rel};
    return true;
}

bool parse_page_name(const char *name, AsidePage *page) noexcept {
    unsigned fork;
    int length = 0;
    Oid tablespace = 0, database = 0, number = 0;
    const int fields =
        std::sscanf(name, "%u_%u_%u_%u_%u%n", &tablespace, &database, &number, &fork, &page->block, &length);
    page->file = pg::make_file(tablespace, database, number);
    page->fork = static_cast<ForkNumber>(fork);
    return fields == 5 && name[length] == '\0';
}

bool exists(const char *path) noexcept {
    struct stat info;
    return ::stat(path, &info) == 0;
}

// Only then a missing file says that its relation is gone: a tablespace may not be mounted at this start.
bool is_tablespace_there(Oid tablespace) noexcept {
    if (tablespace == DEFAULTTABLESPACE_OID || tablespace == GLOBALTABLESPACE_OID) return true;
    Path path;
    ::pg_snprintf(path.text, sizeof path.text, "pg_tblspc/%u/%s", tablespace, TABLESPACE_VERSION_DIRECTORY);
    return exists(path.text);
}

// False: it could not be read; errno says why.  No folder is an empty one.
template <typename Visit>
bool for_each_file(Visit visit) {
    DIR *folder = ::opendir(kFolder);
    if (folder == nullptr) return errno == ENOENT;
    while (const struct dirent *entry = ::readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        Path path;
        ::pg_snprintf(path.text, sizeof path.text, "%s/%s", kFolder, entry->d_name);
        visit(entry->d_name, path.text);
    }
    ::closedir(folder);
    return true;
}

// Pages of an earlier mark of this number must not be taken for this one's.
void remove_pages_of(const pg::RelFile &file) noexcept {
    for_each_file([&file](const char *name, const char *path) {
        pg::RelFile owner;
        bool is_mark;
        if (parse_name(name, &owner, &is_mark) && pg::is_same_file(owner, file)) ::unlink(path);
    });
}

}  // namespace

void write_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block, char *page) {
    ::PageSetChecksumInplace(page, block);
    const Path path = page_path(file, fork, block);
    Path fresh;
    ::pg_snprintf(fresh.text, sizeof fresh.text, "%s%s", path.text, kFresh);
    if (!write_synced(fresh.text, page, page::kPageSize)) fail("write", fresh.text);
    if (::rename(fresh.text, path.text) != 0) fail("rename", fresh.text);
    if (!sync_folder(kFolder)) fail("sync", kFolder);
}

bool read_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block, char *page) {
    const Path path = page_path(file, fork, block);
    const int fd = ::BasicOpenFile(path.text, O_RDONLY | PG_BINARY);
    if (fd < 0) {
        if (errno == ENOENT) return false;
        fail("open", path.text);
    }
    const ssize_t bytes = ::read(fd, page, page::kPageSize);
    ::close(fd);
    if (bytes != static_cast<ssize_t>(page::kPageSize) || !page_is_intact(page, block))
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED), errmsg("file \"%s\" is damaged", path.text),
                 errdetail("It keeps block %u of a glassheap table that is in two buffer pools.", block)));
    return true;
}

void remove_aside(const pg::RelFile &file, ForkNumber fork, BlockNo block) noexcept {
    ::unlink(page_path(file, fork, block).text);
}

void remove_aside_from(const pg::RelFile &file, BlockNo first) {
    const bool read = for_each_file([&file, first](const char *name, const char *path) {
        AsidePage page;
        if (parse_page_name(name, &page) && pg::is_same_file(page.file, file) && page.fork == MAIN_FORKNUM &&
            page.block >= first && ::unlink(path) != 0 && errno != ENOENT)
            fail("remove", path);
    });
    if (!read) fail("open", kFolder);
    if (!sync_folder(kFolder)) fail("sync", kFolder);
}

bool try_write_mark(const pg::RelFile &file) noexcept {
    if (!make_folder()) return false;
    if (has_mark(file)) return true;
    remove_pages_of(file);
    return write_synced(mark_path(file).text, "", 0) && sync_folder(kFolder);
}

void write_mark(const pg::RelFile &file) {
    if (!try_write_mark(file)) fail("write", mark_path(file).text);
}

bool has_mark(const pg::RelFile &file) noexcept {
    return exists(mark_path(file).text);
}

bool has_mark_of_database(Oid database) {
    bool found = false;
    const bool read = for_each_file([database, &found](const char *name, const char *) {
        pg::RelFile file;
        bool is_mark;
        found = found || (parse_name(name, &file, &is_mark) && is_mark && pg::database_of(file) == database);
    });
    if (!read) fail("open", kFolder);
    return found;
}

void for_each_mark_of_database(Oid database, Oid tablespace,
                               void (*visit)(const pg::RelFile &file)) noexcept {
    for_each_file([=](const char *name, const char *) {
        pg::RelFile file;
        bool is_mark;
        if (!parse_name(name, &file, &is_mark) || !is_mark || pg::database_of(file) != database) return;
        if (!OidIsValid(tablespace) || pg::tablespace_of(file) == tablespace) visit(file);
    });
}

// The pages stay until a new mark or the next start of the server; nobody looks at them without a mark.
void remove_mark(const pg::RelFile &file) noexcept {
    ::unlink(mark_path(file).text);
    sync_folder(kFolder);
}

void for_each_aside(const pg::RelFile &file, void (*visit)(const AsidePage &page)) {
    const bool read = for_each_file([&file, visit](const char *name, const char *) {
        AsidePage page;
        if (parse_page_name(name, &page) && pg::is_same_file(page.file, file)) visit(page);
    });
    if (!read) fail("open", kFolder);
}

void load_marks(void (*visit)(const pg::RelFile &file)) {
    const bool read = for_each_file([](const char *name, const char *path) {
        pg::RelFile file;
        bool is_mark;
        if (!parse_name(name, &file, &is_mark) || !is_mark) return;
        if (is_tablespace_there(pg::tablespace_of(file)) && !file_exists(file, pg::kNoBackend, MAIN_FORKNUM))
            ::unlink(path);
    });
    if (!read) fail("open", kFolder);
    for_each_file([visit](const char *name, const char *path) {
        pg::RelFile file;
        bool is_mark;
        if (!parse_name(name, &file, &is_mark)) return;
        if (is_mark)
            visit(file);
        else if (std::strstr(name, kFresh) != nullptr || !exists(mark_path(file).text))
            ::unlink(path);
    });
}

}  // namespace glassheap::storage
