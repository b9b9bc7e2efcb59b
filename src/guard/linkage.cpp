// guard/linkage.cpp — see linkage.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "base/pure.hpp"
//
#include <sys/mman.h>
#include <unistd.h>

#include "guard/linkage.hpp"

namespace glassheap::guard {

namespace {

std::uintptr_t page_mask() noexcept {
    return ~(static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE)) - 1);
}

// glibc's loader turns the addresses of the dynamic section into absolute ones in place, others do not.
std::uintptr_t absolute(std::uintptr_t value, std::uintptr_t base) noexcept {
    return value < base ? base + value : value;
}

}  // namespace

LoadedObject::LoadedObject(const dl_phdr_info &info) noexcept
    : info_(&info), path_(info.dlpi_name != nullptr ? info.dlpi_name : ""), base_(info.dlpi_addr) {
    const ElfW(Dyn) *dynamic = nullptr;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        const ElfW(Phdr) &segment = info.dlpi_phdr[i];
        const std::uintptr_t start = base_ + segment.p_vaddr;
        if (segment.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn) *>(start);
        if (segment.p_type == PT_GNU_RELRO) {
            // The loader protects whole pages only: what shares its page with ordinary data stays writable.
            protected_from_ = start & page_mask();
            protected_to_ = (start + segment.p_memsz) & page_mask();
        }
    }
    if (dynamic != nullptr) read_dynamic(dynamic);
}

void LoadedObject::read_dynamic(const ElfW(Dyn) * entry) noexcept {
    std::size_t relocation_bytes = 0;
    std::size_t call_bytes = 0;
    for (; entry->d_tag != DT_NULL; ++entry) {
        const std::uintptr_t address = address_of(entry->d_un.d_ptr);
        switch (entry->d_tag) {
            case DT_SYMTAB:
                symbols_ = reinterpret_cast<const ElfW(Sym) *>(address);
                break;
            case DT_STRTAB:
                names_ = reinterpret_cast<const char *>(address);
                break;
            case DT_HASH:
                hash_ = reinterpret_cast<const std::uint32_t *>(address);
                break;
            case DT_GNU_HASH:
                gnu_hash_ = reinterpret_cast<const std::uint32_t *>(address);
                break;
            case DT_RELA:
                relocations_.first = reinterpret_cast<const ElfW(Rela) *>(address);
                break;
            case DT_RELASZ:
                relocation_bytes = entry->d_un.d_val;
                break;
            case DT_JMPREL:
                calls_.first = reinterpret_cast<const ElfW(Rela) *>(address);
                break;
            case DT_PLTRELSZ:
                call_bytes = entry->d_un.d_val;
                break;
            default:
                break;
        }
    }
    if (symbols_ == nullptr || names_ == nullptr) return;
    if (relocations_.first != nullptr) relocations_.count = relocation_bytes / sizeof(ElfW(Rela));
    if (calls_.first != nullptr) calls_.count = call_bytes / sizeof(ElfW(Rela));
}

std::uintptr_t LoadedObject::address_of(std::uintptr_t value) const noexcept {
    return absolute(value, base_);
}

const char *LoadedObject::imported_name(const ElfW(Rela) & relocation) const noexcept {
    const ElfW(Sym) &symbol = symbols_[ELF64_R_SYM(relocation.r_info)];
    return symbol.st_shndx == SHN_UNDEF && symbol.st_name != 0 ? names_ + symbol.st_name : nullptr;
}

bool LoadedObject::is_import(const ElfW(Rela) & relocation, Import *import) const noexcept {
    const auto type = ELF64_R_TYPE(relocation.r_info);
    if (!is_function_entry(type) || relocation.r_addend != 0) return false;
    const char *name = imported_name(relocation);
    if (name == nullptr) return false;
    *import = {name, reinterpret_cast<void **>(base_ + relocation.r_offset), may_bind_late(type)};
    return true;
}

// Not a function that says which one it is (IFUNC): the loader would call it.  Nor one of which the process
// has a single copy (GNU_UNIQUE): others find it who have nothing to do with this object.
bool LoadedObject::is_export(const ElfW(Sym) & symbol) noexcept {
    const auto type = ELF64_ST_TYPE(symbol.st_info);
    const auto binding = ELF64_ST_BIND(symbol.st_info);
    return symbol.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT) &&
           (binding == STB_GLOBAL || binding == STB_WEAK);
}

// The table of symbols has no length of its own.
std::size_t LoadedObject::symbol_count() const noexcept {
    if (symbols_ == nullptr || names_ == nullptr) return 0;
    if (hash_ != nullptr) return hash_[1];
    if (gnu_hash_ == nullptr) return 0;
    // buckets, first symbol, words of the filter, a shift; the filter; the buckets; a word for each symbol
    // from the first one on, the last of a bucket's odd
    const std::uint32_t buckets = gnu_hash_[0];
    const std::uint32_t first = gnu_hash_[1];
    const std::uint32_t *bucket = gnu_hash_ + 4 + gnu_hash_[2] * (sizeof(ElfW(Addr)) / sizeof *gnu_hash_);
    std::uint32_t last = 0;
    for (std::uint32_t i = 0; i < buckets; ++i)
        if (bucket[i] > last) last = bucket[i];
    if (last < first) return 0;
    const std::uint32_t *chain = bucket + buckets;
    while ((chain[last - first] & 1) == 0) ++last;
    return last + 1;
}

bool LoadedObject::contains(const void *address) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for (int i = 0; i < info_->dlpi_phnum; ++i) {
        const ElfW(Phdr) &segment = info_->dlpi_phdr[i];
        const std::uintptr_t start = base_ + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && at >= start && at < start + segment.p_memsz) return true;
    }
    return false;
}

bool LoadedObject::is_word(const void *address) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (at != first_word(at)) return false;
    for (int i = 0; i < info_->dlpi_phnum; ++i) {
        const ElfW(Phdr) &segment = info_->dlpi_phdr[i];
        const std::uintptr_t start = base_ + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) != 0 && at >= start &&
            at + sizeof(void *) <= start + segment.p_memsz)
            return true;
    }
    return false;
}

bool LoadedObject::redirect(const Import &import, void *target) const noexcept {
    if (!is_word(import.entry)) return false;  // code (a library linked with -z notext), packed data
    const auto at = reinterpret_cast<std::uintptr_t>(import.entry);
    const bool is_protected = at >= protected_from_ && at < protected_to_;
    // A word never lies across two pages.
    void *page = reinterpret_cast<void *>(at & page_mask());
    const std::size_t length = ~page_mask() + 1;
    if (is_protected && ::mprotect(page, length, PROT_READ | PROT_WRITE) != 0) return false;
    __atomic_store_n(import.entry, target, __ATOMIC_RELEASE);
    // It cannot fail where the first one has not; if it did, a guarded call is worth more than the
    // protection.
    if (is_protected) static_cast<void>(::mprotect(page, length, PROT_READ));
    return true;
}

}  // namespace glassheap::guard
