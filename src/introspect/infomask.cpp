// introspect/infomask.cpp — the flag bits of a tuple header by name.
// Errors: may longjmp.  Superuser only, like the other page functions.
// See:    PG: access/htup_details.h.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "introspect/rows.hpp"
#include "introspect/target.hpp"

namespace glassheap::introspect {

namespace {

struct FlagName {
    std::uint16_t mask;
    const char *name;
};

constexpr FlagName kFlags[] = {
    {HEAP_HASNULL, "HEAP_HASNULL"},
    {HEAP_HASVARWIDTH, "HEAP_HASVARWIDTH"},
    {HEAP_HASEXTERNAL, "HEAP_HASEXTERNAL"},
    {HEAP_HASOID_OLD, "HEAP_HASOID_OLD"},
    {HEAP_XMAX_KEYSHR_LOCK, "HEAP_XMAX_KEYSHR_LOCK"},
    {HEAP_COMBOCID, "HEAP_COMBOCID"},
    {HEAP_XMAX_EXCL_LOCK, "HEAP_XMAX_EXCL_LOCK"},
    {HEAP_XMAX_LOCK_ONLY, "HEAP_XMAX_LOCK_ONLY"},
    {HEAP_XMIN_COMMITTED, "HEAP_XMIN_COMMITTED"},
    {HEAP_XMIN_INVALID, "HEAP_XMIN_INVALID"},
    {HEAP_XMAX_COMMITTED, "HEAP_XMAX_COMMITTED"},
    {HEAP_XMAX_INVALID, "HEAP_XMAX_INVALID"},
    {HEAP_XMAX_IS_MULTI, "HEAP_XMAX_IS_MULTI"},
    {HEAP_UPDATED, "HEAP_UPDATED"},
    {HEAP_MOVED_OFF, "HEAP_MOVED_OFF"},
    {HEAP_MOVED_IN, "HEAP_MOVED_IN"},
};
constexpr FlagName kFlags2[] = {
    {HEAP_KEYS_UPDATED, "HEAP_KEYS_UPDATED"},
    {HEAP_HOT_UPDATED, "HEAP_HOT_UPDATED"},
    {HEAP_ONLY_TUPLE, "HEAP_ONLY_TUPLE"},
};
constexpr FlagName kCombined[] = {
    {HEAP_XMAX_SHR_LOCK, "HEAP_XMAX_SHR_LOCK"},
    {HEAP_XMIN_FROZEN, "HEAP_XMIN_FROZEN"},
    {HEAP_MOVED, "HEAP_MOVED"},
};

template <std::size_t N>
ArrayBuildState *add_names(ArrayBuildState *names, const FlagName (&flags)[N], std::uint16_t bits) {
    for (const FlagName &flag : flags)
        if ((bits & flag.mask) == flag.mask)
            names = ::accumArrayResult(names, CStringGetTextDatum(flag.name), false, TEXTOID,
                                       CurrentMemoryContext);
    return names;
}

ArrayBuildState *no_names() {
    return ::initArrayResult(TEXTOID, CurrentMemoryContext, false);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(glassheap_tuple_infomask_flags);
PGDLLEXPORT Datum glassheap_tuple_infomask_flags(PG_FUNCTION_ARGS) {
    require_superuser();
    const auto infomask = static_cast<std::uint16_t>(PG_GETARG_INT32(0));
    const auto infomask2 = static_cast<std::uint16_t>(PG_GETARG_INT32(1));
    ArrayBuildState *raw = add_names(add_names(no_names(), kFlags, infomask), kFlags2, infomask2);
    ArrayBuildState *combined = add_names(no_names(), kCombined, infomask);
    return make_record(fcinfo, {datum_cell(::makeArrayResult(raw, CurrentMemoryContext)),
                                datum_cell(::makeArrayResult(combined, CurrentMemoryContext))});
}

}  // extern "C"

}  // namespace glassheap::introspect
