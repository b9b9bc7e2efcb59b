// test/unit/contexts.cpp — see contexts.hpp.
// SPDX-License-Identifier: PostgreSQL
#include "contexts.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/containers.hpp"

namespace {

constexpr std::size_t kHead = 16;  // the context, in front of each chunk

[[noreturn]] void fail(const char *what) {
    if (glassheap::test::on_error != nullptr) std::longjmp(*glassheap::test::on_error, 1);
    std::fprintf(stderr, "error outside of fails(): %s\n", what);
    std::abort();
}

}  // namespace

void MemoryContextData::reset() {
    for (const auto &[call, argument] : std::exchange(callbacks, {})) call(argument);
    for (char *chunk : std::exchange(chunks, {})) std::free(chunk);
}

namespace glassheap {

namespace test {
MemoryContextData *current = nullptr;
int allocations_left = -1;
std::jmp_buf *on_error = nullptr;
}  // namespace test

Context current_context() noexcept {
    return test::current;
}

void *allocate_in(Context context, std::size_t bytes) {
    if (test::allocations_left == 0) fail("out of memory");
    if (test::allocations_left > 0) --test::allocations_left;
    auto *chunk = static_cast<char *>(std::malloc(kHead + bytes));
    std::memcpy(chunk, &context, sizeof context);
    context->chunks.insert(chunk);
    return chunk + kHead;
}

void free_memory(void *memory) noexcept {
    char *chunk = static_cast<char *>(memory) - kHead;
    Context context;
    std::memcpy(&context, chunk, sizeof context);
    if (context->chunks.erase(chunk) != 1) std::abort();
    std::free(chunk);
}

void call_at_reset(Context context, void (*call)(void *), void *argument) {
    if (test::allocations_left == 0) fail("out of memory");
    if (test::allocations_left > 0) --test::allocations_left;
    context->callbacks.emplace_back(call, argument);
}

}  // namespace glassheap

namespace boost::container {

void throw_bad_alloc() {
    fail("bad_alloc");
}
void throw_length_error(const char *what) {
    fail(what);
}

}  // namespace boost::container
