// guard/examined.hpp — which loaded objects this process, or the postmaster before it, has looked at (pure).
//
// Why:    only the first look, before a library's functions are called, can tell a pointer that it copied
//         before we came from one that it was given later (GetHeapamTableAmRoutine()): its verdict stays.
// Invariants: guard.E1 an object is forgotten only when it is gone, never because another one is.
// Locking: none; used while dl_iterate_phdr runs.
// Errors: none is raised; no memory is allocated.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <link.h>

#include <cstdint>

namespace glassheap::guard {

enum class Verdict : std::uint8_t { guarded, escapes, escapes_with_warning };

class Examined {
public:
    static constexpr int kMost = 4096;  // more are looked at as if they had just come
    struct Object {
        const ElfW(Phdr) * headers;
        ElfW(Addr) base;
        std::uint64_t name;  // hash
        Verdict verdict;
        bool here;

        bool escapes() const noexcept { return verdict != Verdict::guarded; }
    };

    // Around a walk over all objects, each of which is asked for with find().
    void begin(const dl_phdr_info &info) noexcept {
        rechecks_ = info.dlpi_subs != unloads_;
        for (int i = 0; i < count_; ++i) objects_[i].here = false;
    }
    void end(const dl_phdr_info &info) noexcept {
        unloads_ = info.dlpi_subs;
        int kept = 0;
        for (int i = 0; i < count_; ++i)
            if (objects_[i].here) objects_[kept++] = objects_[i];
        count_ = kept;
    }
    // Something was unloaded: one that looks the same may have come into its place.
    bool rechecks() const noexcept { return rechecks_; }

    Object *find(const dl_phdr_info &info) noexcept {
        for (int i = 0; i < count_; ++i) {
            Object &object = objects_[i];
            if (object.headers != info.dlpi_phdr || object.base != info.dlpi_addr ||
                object.name != hash_of(info.dlpi_name))
                continue;
            object.here = true;
            return &object;
        }
        return nullptr;
    }
    // nullptr: no room
    Object *add(const dl_phdr_info &info) noexcept {
        if (count_ >= kMost) return nullptr;
        objects_[count_] = {.headers = info.dlpi_phdr,
                            .base = info.dlpi_addr,
                            .name = hash_of(info.dlpi_name),
                            .verdict = Verdict::guarded,
                            .here = true};
        return &objects_[count_++];
    }
    // Those that escape have been warned of.
    void note_warnings() noexcept {
        for (int i = 0; i < count_; ++i)
            if (objects_[i].escapes()) objects_[i].verdict = Verdict::escapes_with_warning;
    }

private:
    static std::uint64_t hash_of(const char *name) noexcept {  // FNV-1a
        std::uint64_t hash = 0xCBF29CE484222325U;
        for (; name != nullptr && *name != '\0'; ++name)
            hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001B3U;
        return hash;
    }

    Object objects_[kMost];
    int count_;
    bool rechecks_;
    std::uint64_t unloads_;  // of objects, ever
};

}  // namespace glassheap::guard
