// test/unit/guard/linkage_test.cpp — this program's own linkage table, and its libraries'.
// SPDX-License-Identifier: PostgreSQL
#include "guard/linkage.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace glassheap::guard {
namespace {

struct Seen {
    std::vector<std::string> paths;
    int with_this_function = 0;
    int imports = 0;
};

int look(dl_phdr_info *info, std::size_t, void *argument) {
    auto *seen = static_cast<Seen *>(argument);
    const LoadedObject object(*info);
    seen->paths.emplace_back(object.path());
    seen->with_this_function += object.contains(reinterpret_cast<const void *>(&look)) ? 1 : 0;
    object.each_import([&](const Import &import) {
        ++seen->imports;
        EXPECT_NE(import.name[0], '\0');
        EXPECT_TRUE(object.contains(import.entry)) << import.name;
    });
    return 0;
}

TEST(Linkage, FindsTheProgramAndItsLibraries) {
    Seen seen;
    ::dl_iterate_phdr(look, &seen);
    EXPECT_GT(seen.paths.size(), 2U);
    EXPECT_EQ(seen.with_this_function, 1);
    EXPECT_EQ(seen.imports > 50, kArchitectureKnown);
}

pid_t fake_parent() {
    return 4711;
}

struct Swap {
    void *to;
    void *was = nullptr;
    int entries = 0;
    bool done = true;
};

int swap_getppid(dl_phdr_info *info, std::size_t, void *argument) {
    auto *swap = static_cast<Swap *>(argument);
    const LoadedObject object(*info);
    if (!object.contains(reinterpret_cast<const void *>(&fake_parent))) return 0;
    object.each_import([&](const Import &import) {
        if (std::strcmp(import.name, "getppid") != 0) return;
        ++swap->entries;
        swap->was = *import.entry;
        swap->done = object.redirect(import, swap->to) && swap->done;
    });
    return 1;
}

TEST(Linkage, ARedirectedCallLeadsElsewhereAndBack) {
    if (!kArchitectureKnown) GTEST_SKIP() << "this architecture's relocations are not known";
    const pid_t real = ::getppid();
    ASSERT_NE(real, 4711);
    Swap swap{reinterpret_cast<void *>(&fake_parent)};
    ::dl_iterate_phdr(swap_getppid, &swap);
    ASSERT_GT(swap.entries, 0);
    ASSERT_TRUE(swap.done);
    EXPECT_EQ(::getppid(), 4711);
    Swap back{swap.was};
    ::dl_iterate_phdr(swap_getppid, &back);
    EXPECT_EQ(back.was, reinterpret_cast<void *>(&fake_parent));
    EXPECT_EQ(::getppid(), real);
}

// A copy of a pointer, which no relocation names.
void *volatile copied = nullptr;

int count_copies(dl_phdr_info *info, std::size_t, void *argument) {
    const LoadedObject object(*info);
    if (!object.contains(reinterpret_cast<const void *>(&fake_parent))) return 0;
    object.each_word([&](const void *word) {
        if (word == argument) ++*static_cast<int *>(argument);
    });
    return 1;
}

TEST(Linkage, SeesACopyInTheDataOfALibrary) {
    int copies = 0;
    ::dl_iterate_phdr(count_copies, &copies);
    EXPECT_EQ(copies, 0);
    copied = &copies;
    ::dl_iterate_phdr(count_copies, &copies);
    EXPECT_EQ(copies, 1);
    copied = nullptr;
}

struct Exports {
    int libraries = 0;
    int found = 0;
    int missing = 0;
    bool getppid = false;
    bool unnamed = false;
};

// What it says to export the loader finds in it.
int look_up_exports(dl_phdr_info *info, std::size_t, void *argument) {
    auto *seen = static_cast<Exports *>(argument);
    const LoadedObject object(*info);
    void *handle = ::dlopen(*object.path() != '\0' ? object.path() : nullptr, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return 0;
    ++seen->libraries;
    object.each_export([&](const char *name) {
        seen->unnamed = seen->unnamed || *name == '\0';
        seen->getppid = seen->getppid || std::strcmp(name, "getppid") == 0;
        ++(object.contains(::dlsym(handle, name)) ? seen->found : seen->missing);
    });
    ::dlclose(handle);
    return 0;
}

TEST(Linkage, TheLoaderFindsWhatALibraryExports) {
    Exports seen;
    ::dl_iterate_phdr(look_up_exports, &seen);
    EXPECT_GT(seen.libraries, 2);
    EXPECT_GT(seen.found, 1000);
    // Old versions of a symbol, data that the program has copied, names that another one has taken.
    EXPECT_LT(seen.missing, seen.found / 10);
    EXPECT_TRUE(seen.getppid);
    EXPECT_FALSE(seen.unnamed);
}

// The permissions of the mapping that holds an address, as the kernel tells them.
std::string permissions(const void *address) {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line)) {
        unsigned long from;
        unsigned long to;
        char bits[5];
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, bits) != 3) continue;
        const auto at = reinterpret_cast<unsigned long>(address);
        if (at >= from && at < to) return bits;
    }
    return "none";
}

struct Protected {
    int entries = 0;
    int changed = 0;
};

int rewrite_protected(dl_phdr_info *info, std::size_t, void *argument) {
    auto *seen = static_cast<Protected *>(argument);
    const LoadedObject object(*info);
    int tried = 0;
    object.each_import([&](const Import &import) {
        if (tried >= 5 || permissions(import.entry) != "r--p") return;
        ++tried;
        ++seen->entries;
        EXPECT_TRUE(object.redirect(import, *import.entry));
        seen->changed += permissions(import.entry) == "r--p" ? 0 : 1;
    });
    return 0;
}

TEST(Linkage, AProtectedEntryIsProtectedAgain) {
    if (!kArchitectureKnown) GTEST_SKIP() << "this architecture's relocations are not known";
    Protected seen;
    ::dl_iterate_phdr(rewrite_protected, &seen);
    EXPECT_GT(seen.entries, 0);
    EXPECT_EQ(seen.changed, 0);
}

TEST(Linkage, KnowsTheRelocationsOfThisArchitecture) {
#if defined(__x86_64__)
    EXPECT_TRUE(is_function_entry(R_X86_64_JUMP_SLOT));
    EXPECT_TRUE(is_function_entry(R_X86_64_GLOB_DAT));
    EXPECT_TRUE(is_function_entry(R_X86_64_64));
    EXPECT_FALSE(is_function_entry(R_X86_64_RELATIVE));
    EXPECT_TRUE(may_bind_late(R_X86_64_JUMP_SLOT));
    EXPECT_FALSE(may_bind_late(R_X86_64_GLOB_DAT));
#elif defined(__aarch64__)
    EXPECT_TRUE(is_function_entry(R_AARCH64_JUMP_SLOT));
    EXPECT_TRUE(is_function_entry(R_AARCH64_GLOB_DAT));
    EXPECT_TRUE(is_function_entry(R_AARCH64_ABS64));
    EXPECT_FALSE(is_function_entry(R_AARCH64_RELATIVE));
#else
    EXPECT_FALSE(kArchitectureKnown);
#endif
}

}  // namespace
}  // namespace glassheap::guard
