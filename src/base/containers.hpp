// base/containers.hpp — the only door to Boost.Container: arrays of fixed room, and arrays that grow in a
//                       memory context.
//
// Why:    PostgreSQL unwinds errors with longjmp: destructors are skipped, and what a container owned must
//         be found by somebody else, its memory context.  README.md says which container is for what.
// Invariants: elements are trivially copyable, so nothing is lost when a container is abandoned.  Growing
//         takes the new memory before it touches the old: after an error the container is as it was.
// Errors: what grows may longjmp.  A FixedVector that is full is a bug and is reported as an error: a PANIC
//         in a critical section, where it would have overwritten memory.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

#include "base/check.hpp"

// Boost's assertions are ours: compiled away in a release, or else reported by check_failed.
#if GH_CHECKS >= 1
#define BOOST_ENABLE_ASSERT_HANDLER
namespace boost {
inline void assertion_failed(const char *condition, const char *, const char *file, long line) {
    ::glassheap::check_failed(condition, file, static_cast<int>(line));
}
inline void assertion_failed_msg(const char *, const char *message, const char *, const char *file,
                                 long line) {
    ::glassheap::check_failed(message, file, static_cast<int>(line));
}
}  // namespace boost
#else
#define BOOST_DISABLE_ASSERTS
#endif
#define BOOST_CONTAINER_USER_DEFINED_THROW_CALLBACKS
#include <boost/container/static_vector.hpp>
#include <boost/container/vector.hpp>

struct MemoryContextData;  // PostgreSQL's

namespace glassheap {

using Context = ::MemoryContextData *;

// Defined once per binary, as check_failed is: by the module with PostgreSQL's contexts, by unit tests with
// contexts of their own.
Context current_context() noexcept;
void *allocate_in(Context context, std::size_t bytes);  // any size
void free_memory(void *memory) noexcept;
void call_at_reset(Context context, void (*call)(void *), void *argument);

// In the context that is current when the container is made, whichever is when it grows.
template <typename T>
class ContextAllocator {
public:
    using value_type = T;

    ContextAllocator() noexcept : context_(current_context()) {}
    explicit ContextAllocator(Context context) noexcept : context_(context) {}
    template <typename U>
    ContextAllocator(const ContextAllocator<U> &other) noexcept : context_(other.context()) {}

    T *allocate(std::size_t count) { return static_cast<T *>(allocate_in(context_, count * sizeof(T))); }
    void deallocate(T *memory, std::size_t) noexcept { free_memory(memory); }
    Context context() const noexcept { return context_; }
    bool operator==(const ContextAllocator &other) const noexcept = default;

private:
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    static_assert(alignof(T) <= 8);

    Context context_;
};

// Grows, by doubling.  A local one frees its memory at the end of its scope: its context must live as long.
template <typename T>
using Vector = boost::container::vector<
    T, ContextAllocator<T>,
    boost::container::vector_options_t<boost::container::growth_factor<boost::container::growth_factor_100>>>;

// Room for N within the object; nothing is initialised.
template <typename T, std::size_t N>
using FixedVector = boost::container::static_vector<T, N>;

template <typename Container>
auto span_of(Container &container) noexcept {
    return std::span(container.data(), container.size());
}

// A list of static lifetime that lives, with its elements, in a context that others reset: empty once that
// has gone.
template <typename T>
class ContextList {
public:
    // The variable, because there is another context in each transaction.
    constexpr explicit ContextList(const Context *context) noexcept : context_(context) {}
    ContextList(const ContextList &) = delete;
    ContextList &operator=(const ContextList &) = delete;

    void push_back(const T &item) {
        if (list_ == nullptr) make();
        list_->push_back(item);
    }
    void pop_back() noexcept { list_->pop_back(); }
    T &back() const noexcept { return list_->back(); }
    bool empty() const noexcept { return list_ == nullptr || list_->empty(); }
    T *begin() const noexcept { return list_ == nullptr ? nullptr : list_->data(); }
    T *end() const noexcept { return list_ == nullptr ? nullptr : list_->data() + list_->size(); }
    // Before its context goes; the memory is left to that.
    void forget() noexcept { list_ = nullptr; }

private:
    // Registered first: an error at any line leaves an empty list.
    void make() {
        void *memory = allocate_in(*context_, sizeof(Vector<T>));
        call_at_reset(
            *context_, [](void *list) { static_cast<ContextList *>(list)->forget(); }, this);
        list_ = ::new (memory) Vector<T>(ContextAllocator<T>(*context_));
    }

    const Context *context_;
    Vector<T> *list_ = nullptr;
};

}  // namespace glassheap
