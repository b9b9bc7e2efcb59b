// guard/examined.hpp — which loaded objects this process, or the postmaster before it, has looked at (pure).
//
// Why:    only the first look, before a library's functions are called, can tell a pointer that it copied
//         before we came from one that it was given later (GetHeapamTableAmRoutine()): its verdict stays.
// Invariants: guard.E1 an object is forgotten only when it is gone, never because another one is.
// Locking: none; used while dl_iterate_phdr runs, but for move_to().
// Errors: none is raised; no memory is allocated.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace glassheap::guard {

// All but the first: it escapes, and whether somebody was told.
enum class Verdict : std::uint8_t { guarded, escapes, refused, warned_of };

class Examined {
public:
    struct Object {
        dl_phdr_info info;
        std::uint64_t name;     // hash: the name itself is gone with the object
        std::uint64_t look;     // in which it was judged
        ElfW(Addr) brought_by;  // base of the library with which it came; 0: unknown
        Verdict verdict;
        bool here;

        bool escapes() const noexcept { return verdict != Verdict::guarded; }
        void judge(Verdict judged, std::uint64_t now) noexcept {
            verdict = judged;
            look = now;
            brought_by = 0;
        }
    };

    // Around a walk over all objects, each of which is asked for with find().
    void begin(const dl_phdr_info &info) noexcept {
        ++looks_;
        rechecks_ = info.dlpi_subs != unloads_;
        for (Object &object : objects()) object.here = false;
    }
    void end(const dl_phdr_info &info) noexcept {
        unloads_ = info.dlpi_subs;
        for (const Object &gone : objects()) {
            if (gone.here) continue;
            for (Object &object : objects())  // another library may take its place
                if (object.brought_by == gone.info.dlpi_addr) object.brought_by = 0;
        }
        std::size_t kept = 0;
        for (const Object &object : objects())
            if (object.here) objects_[kept++] = object;
        count_ = kept;
    }
    // Something was unloaded: one that looks the same may have come into its place.
    bool rechecks() const noexcept { return rechecks_; }
    std::uint64_t looks() const noexcept { return looks_; }

    Object *find(const dl_phdr_info &info) noexcept {
        for (Object &object : objects()) {
            if (object.info.dlpi_phdr != info.dlpi_phdr || object.info.dlpi_addr != info.dlpi_addr ||
                object.name != hash_of(info.dlpi_name))
                continue;
            object.info = info;
            object.here = true;
            return &object;
        }
        return nullptr;
    }
    // nullptr: no room
    Object *add(const dl_phdr_info &info) noexcept {
        if (count_ == room_) return nullptr;
        objects_[count_] = {.info = info,
                            .name = hash_of(info.dlpi_name),
                            .look = looks_,
                            .brought_by = 0,
                            .verdict = Verdict::guarded,
                            .here = true};
        return &objects_[count_++];
    }
    const Object *find_at(ElfW(Addr) base) const noexcept {
        for (const Object &object : objects())
            if (base != 0 && object.info.dlpi_addr == base) return &object;
        return nullptr;
    }

    std::span<Object> objects() const noexcept { return {objects_, count_}; }
    std::size_t room() const noexcept { return room_; }
    // Returns the memory that is not used any more.
    void *move_to(void *memory, std::size_t room) noexcept {
        void *old = objects_;
        if (count_ > 0) std::memcpy(memory, objects_, count_ * sizeof(Object));
        objects_ = static_cast<Object *>(memory);
        room_ = room;
        return old;
    }

private:
    static std::uint64_t hash_of(const char *name) noexcept {  // FNV-1a
        std::uint64_t hash = 0xCBF29CE484222325U;
        for (; name != nullptr && *name != '\0'; ++name)
            hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001B3U;
        return hash;
    }

    Object *objects_;
    std::size_t count_;
    std::size_t room_;
    std::uint64_t looks_;
    std::uint64_t unloads_;  // of objects, ever
    bool rechecks_;
};

}  // namespace glassheap::guard
