// guard/refused.cpp — see refused.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include <sys/stat.h>

#include "guard/refused.hpp"

namespace glassheap::guard {

namespace {

struct Refused {
    File file;
    char culprit[sizeof(Unguarded::library)];
    const Refused *next;
};
const Refused *all_refused = nullptr;

bool is_known(const File &file, const char *culprit) noexcept {
    for (const Refused *refused = all_refused; refused != nullptr; refused = refused->next)
        if (refused->file == file &&
            std::strncmp(refused->culprit, culprit, sizeof refused->culprit - 1) == 0)
            return true;
    return false;
}

}  // namespace

File::File(const char *path) noexcept {
    struct ::stat status;
    if (::stat(path, &status) != 0) return;  // all of these are one: rather refused than let in
    device = status.st_dev;
    inode = status.st_ino;
}

void remember_culprit(const File &file, const Unguarded &culprit) {
    if (is_known(file, culprit.library)) return;
    void *memory = ::MemoryContextAllocExtended(TopMemoryContext, sizeof(Refused), MCXT_ALLOC_NO_OOM);
    if (memory == nullptr) ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    auto *refused = ::new (memory) Refused{file, {}, all_refused};
    ::strlcpy(refused->culprit, culprit.library, sizeof refused->culprit);
    all_refused = refused;
}

bool is_culprit(const File &file, const dl_phdr_info &info) noexcept {
    return info.dlpi_name != nullptr && is_known(file, info.dlpi_name);
}

}  // namespace glassheap::guard
