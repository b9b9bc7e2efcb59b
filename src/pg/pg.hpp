// pg/pg.hpp — the one door to PostgreSQL's headers.
//
// Why:    the headers are C, must stand inside extern "C", after the standard headers they would
//         otherwise disturb, and leave macros behind that break C++ (src/pg/README.md, rule 1).  Every server
//         file includes this first; no other file includes postgres.h.  Rarer headers: pg/pg_<topic>.hpp.
// Errors: anything spelled ::CamelCase may longjmp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <new>
#include <type_traits>
#include <utility>

// PostgreSQL 15 defines PGDLLEXPORT empty; with -fvisibility=hidden the magic block must be visible.
#ifndef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

extern "C" {
// clang-format off
#include "postgres.h"  // must come first

#include "fmgr.h"
#include "miscadmin.h"
// clang-format on
#include "access/genam.h"
#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/hio.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/relation.h"
#include "access/relscan.h"
#include "access/subtrans.h"
#include "access/syncscan.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "access/valid.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "commands/progress.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/autovacuum.h"
#include "postmaster/bgworker.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/itemptr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/predicate.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "storage/smgr.h"
#include "storage/spin.h"
#include "storage/standby.h"
#include "utils/builtins.h"
#include "utils/combocid.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/spccache.h"
#include "utils/timestamp.h"
}

// Macros of PostgreSQL that would break C++ headers included later, or our own names.
#undef Min
#undef Max
#undef Abs
#undef _
#undef gettext
#undef snprintf
#undef vsnprintf
#undef sprintf
#undef vsprintf
#undef printf
#undef fprintf
#undef vprintf
#undef vfprintf
#undef strerror
#undef strerror_r
#undef foreach
#undef bind
// C-only (__builtin_types_compatible_p); LSN_FORMAT_ARGS and friends need it gone.
#undef AssertVariableIsOfTypeMacro
#define AssertVariableIsOfTypeMacro(variable, type) ((void)0)

#include "base/check.hpp"
#include "base/types.hpp"

namespace glassheap::pg {

// Walks a PostgreSQL List: for (auto *node : pg::each<RangeVar>(list)).  Replaces foreach.
template <typename T>
class ListRange {
public:
    explicit ListRange(const List *list) noexcept : list_(list) {}
    struct Iterator {
        const ListCell *cell;
        T *operator*() const noexcept { return static_cast<T *>(cell->ptr_value); }
        Iterator &operator++() noexcept {
            ++cell;
            return *this;
        }
        bool operator!=(const Iterator &other) const noexcept { return cell != other.cell; }
    };
    Iterator begin() const noexcept { return {list_ ? list_->elements : nullptr}; }
    Iterator end() const noexcept { return {list_ ? list_->elements + list_->length : nullptr}; }

private:
    const List *list_;
};

template <typename T>
ListRange<T> each(const List *list) noexcept {
    return ListRange<T>(list);
}

// palloc for an object that is never destroyed explicitly (the context owns it).
template <typename T>
T *make_raw() {
    static_assert(alignof(T) <= MAXIMUM_ALIGNOF);
    return static_cast<T *>(::palloc(sizeof(T)));
}
template <typename T>
T *make_zeroed() {
    static_assert(alignof(T) <= MAXIMUM_ALIGNOF);
    return static_cast<T *>(::palloc0(sizeof(T)));
}

}  // namespace glassheap::pg
