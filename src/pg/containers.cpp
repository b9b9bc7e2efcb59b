// pg/containers.cpp — base/containers.hpp on PostgreSQL's memory contexts; Boost's complaints are errors.
//
// Errors: out of memory; a container that is full, or asked for what it does not have, is a bug.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "base/containers.hpp"

namespace glassheap {

Context current_context() noexcept {
    return CurrentMemoryContext;
}

void *allocate_in(Context context, std::size_t bytes) {
    return ::MemoryContextAllocHuge(context, bytes);
}

void free_memory(void *memory) noexcept {
    ::pfree(memory);
}

void call_at_reset(Context context, void (*call)(void *), void *argument) {
    auto *callback =
        static_cast<MemoryContextCallback *>(::MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    *callback = {.func = call, .arg = argument, .next = nullptr};
    ::MemoryContextRegisterResetCallback(context, callback);
}

}  // namespace glassheap

namespace boost::container {

namespace {

[[noreturn]] void complain(const char *what) {
    elog(ERROR, "glassheap: container: %s", what);
    pg_unreachable();
}

}  // namespace

void throw_bad_alloc() {
    complain("no room left");
}
void throw_length_error(const char *what) {
    complain(what);
}

}  // namespace boost::container
