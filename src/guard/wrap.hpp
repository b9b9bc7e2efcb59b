// guard/wrap.hpp — what stands in a library's linkage table in place of one of heap's functions.
//
// Why:    one compare for relations that are not ours; for ours, the same work in our pool, or an error.
// Invariants: guard.W1 a wrapper has the signature of the function it replaces (deduced from it).
//         guard.W2 a relation that is not ours, a catalog or a TOAST table reaches the server's function
//         unchanged.
//         guard.W3 scans of our tables are ours whatever the mode is: the setting may change between their
//         begin and their end, and a descriptor of one kind in the other's hands is a crash.
// Errors: what the functions raise; refuse() raises ERRCODE_FEATURE_NOT_SUPPORTED.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"
//
#include "am/table_am.hpp"
#include "guard/setting.hpp"

namespace glassheap::guard {

// stock: the function that was called; return_address: in the library that called it.
[[noreturn]] void refuse(Relation rel, const void *stock, const void *return_address);

template <typename Argument>
Relation ours_or_null(Argument argument) noexcept {
    Relation rel = nullptr;
    if constexpr (std::is_same_v<Argument, Relation>) rel = argument;
    if constexpr (std::is_same_v<Argument, TableScanDesc>) rel = argument->rs_rd;
    return rel != nullptr && am::is_ours(rel) ? rel : nullptr;
}

// Ours: the function that does Stock's work in our pool; nullptr if nothing can.
template <auto Stock, auto Ours, typename = decltype(Stock)>
struct Wrapper;

template <auto Stock, auto Ours, typename Result, typename... Arguments>
struct Wrapper<Stock, Ours, Result (*)(Arguments...)> {
    static constexpr bool kRouted = !std::is_null_pointer_v<decltype(Ours)>;
    static constexpr bool kScan =
        (std::is_same_v<TableScanDesc, Result> || ... || std::is_same_v<TableScanDesc, Arguments>);

    static Result call(Arguments... arguments) {
        Relation rel = nullptr;
        ((rel = rel != nullptr ? rel : ours_or_null(arguments)), ...);
        if (rel == nullptr || (mode == kOff && !kScan)) [[likely]]
            return Stock(arguments...);
        if constexpr (kRouted) {
            if (mode == kRoute || mode == kOff) [[likely]]
                return Ours(arguments...);
        }
        refuse(rel, reinterpret_cast<const void *>(Stock), __builtin_return_address(0));
    }
};

}  // namespace glassheap::guard
