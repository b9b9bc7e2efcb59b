// guard/linkage.hpp — the functions that a loaded library imports, and where its calls of them lead (pure).
//
// Why:    a library calls a function of the server through an entry of its own linkage table (JUMP_SLOT,
//         GLOB_DAT) or through a pointer in its data that the loader filled in (a 64-bit absolute
//         relocation).  The relocations, which stay in memory, say which entries belong to which name.
// Invariants: guard.L1 only entries of undefined symbols are shown: a library's own function of that name is
//            its own.
//         guard.L2 redirect() leaves a page that the loader protected (RELRO) protected again.
// Locking: none; the loader holds its lock while dl_iterate_phdr runs.
// Errors: none is raised; no memory is allocated.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace glassheap::guard {

#if defined(__x86_64__) && defined(__LP64__)
inline constexpr bool kArchitectureKnown = true;
constexpr bool is_function_entry(std::uint64_t type) noexcept {
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
}
constexpr bool may_bind_late(std::uint64_t type) noexcept {
    return type == R_X86_64_JUMP_SLOT;
}
#elif defined(__aarch64__) && defined(__LP64__)
inline constexpr bool kArchitectureKnown = true;
constexpr bool is_function_entry(std::uint64_t type) noexcept {
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
}
constexpr bool may_bind_late(std::uint64_t type) noexcept {
    return type == R_AARCH64_JUMP_SLOT;
}
#else
inline constexpr bool kArchitectureKnown = false;
constexpr bool is_function_entry(std::uint64_t) noexcept {
    return false;
}
constexpr bool may_bind_late(std::uint64_t) noexcept {
    return false;
}
#endif

struct Import {
    const char *name;
    void **entry;     // where the library looks when it calls the function
    bool binds_late;  // until its first call it may lead into the library itself, which asks the loader then

    void *leads_to() const noexcept {  // code and packed data need not be aligned
        void *address;
        std::memcpy(&address, entry, sizeof address);
        return address;
    }
};

// The program or one of its libraries, as dl_iterate_phdr shows it.
class LoadedObject {
public:
    explicit LoadedObject(const dl_phdr_info &info) noexcept;

    const char *path() const noexcept { return path_; }
    bool contains(const void *address) const noexcept;

    // visit(const Import &) for every entry of a function that the object does not define itself.
    template <typename Visit>
    void each_import(Visit &&visit) const {
        each_of(relocations_, visit);
        if (!covers(relocations_, calls_)) each_of(calls_, visit);
    }

    // visit(const char *name) for every place that a relocation of an unknown kind fills with such a
    // function.
    template <typename Visit>
    void each_unknown(Visit &&visit) const {
        each_unknown_of(relocations_, visit);
        if (!covers(relocations_, calls_)) each_unknown_of(calls_, visit);
    }

    // visit(const char *name) for every function and variable that others find in it.
    template <typename Visit>
    void each_export(Visit &&visit) const {
        const std::size_t count = symbol_count();
        for (std::size_t i = 0; i < count; ++i)
            if (is_export(symbols_[i])) visit(names_ + symbols_[i].st_name);
    }

    // visit(const void *) for every aligned word of its data, entries included; and what lies between
    // variables, which AddressSanitizer must let pass.
    template <typename Visit>
    [[gnu::no_sanitize("address")]] void each_word(Visit &&visit) const {
        for (int i = 0; i < info_->dlpi_phnum; ++i) {
            const ElfW(Phdr) &segment = info_->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) == 0) continue;
            const std::uintptr_t end = base_ + segment.p_vaddr + segment.p_memsz;
            for (std::uintptr_t at = first_word(base_ + segment.p_vaddr); at + sizeof(void *) <= end;
                 at += sizeof(void *))
                visit(__atomic_load_n(reinterpret_cast<const void *const *>(at), __ATOMIC_RELAXED));
        }
    }

    // Is it one of those words?
    bool is_word(const void *address) const noexcept;
    // Makes an entry lead elsewhere; false: it is no such word, or its page cannot be written.
    bool redirect(const Import &import, void *target) const noexcept;

private:
    struct Table {
        const ElfW(Rela) * first;
        std::size_t count;
    };

    static std::uintptr_t first_word(std::uintptr_t at) noexcept {
        return (at + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    }
    static bool covers(const Table &outer, const Table &inner) noexcept {
        return inner.first >= outer.first && inner.first < outer.first + outer.count;
    }
    template <typename Visit>
    void each_of(const Table &table, Visit &&visit) const {
        Import import;
        for (std::size_t i = 0; i < table.count; ++i)
            if (is_import(table.first[i], &import)) visit(import);
    }
    template <typename Visit>
    void each_unknown_of(const Table &table, Visit &&visit) const {
        Import import;
        for (std::size_t i = 0; i < table.count; ++i) {
            const char *name = imported_name(table.first[i]);
            if (name != nullptr && !is_import(table.first[i], &import)) visit(name);
        }
    }
    const char *imported_name(const ElfW(Rela) & relocation) const noexcept;  // nullptr: none
    bool is_import(const ElfW(Rela) & relocation, Import *import) const noexcept;
    static bool is_export(const ElfW(Sym) & symbol) noexcept;
    std::size_t symbol_count() const noexcept;
    void read_dynamic(const ElfW(Dyn) * entry) noexcept;
    std::uintptr_t address_of(std::uintptr_t value) const noexcept;

    const dl_phdr_info *info_;
    const char *path_;
    std::uintptr_t base_;
    const ElfW(Sym) *symbols_ = nullptr;
    const char *names_ = nullptr;
    const std::uint32_t *hash_ = nullptr;  // one of the two, or both: where the loader finds its symbols
    const std::uint32_t *gnu_hash_ = nullptr;
    Table relocations_ = {nullptr, 0};
    Table calls_ = {nullptr, 0};
    std::uintptr_t protected_from_ = 0;  // what the loader made read-only: whole pages
    std::uintptr_t protected_to_ = 0;
};

}  // namespace glassheap::guard
