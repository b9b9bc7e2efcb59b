// test/unit/contexts.hpp — memory contexts and errors that jump, outside the server, for base/containers.hpp.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <csetjmp>
#include <cstddef>
#include <set>
#include <utility>
#include <vector>

struct MemoryContextData {
    std::set<char *> chunks;
    std::vector<std::pair<void (*)(void *), void *>> callbacks;

    void reset();
    ~MemoryContextData() { reset(); }
};

namespace glassheap::test {

extern MemoryContextData *current;
extern int allocations_left;    // the one after these fails; < 0: none does
extern std::jmp_buf *on_error;  // nullptr: an error aborts

// Runs `body`; true if an error left it, as ereport does: without destructors.
template <typename Body>
bool fails(Body body) {
    std::jmp_buf here;
    std::jmp_buf *const outer = std::exchange(on_error, &here);
    const bool failed = setjmp(here) != 0;
    if (!failed) body();
    on_error = outer;
    return failed;
}

}  // namespace glassheap::test
