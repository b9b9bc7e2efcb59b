// debug/stop_points.cpp — armed points in shared memory, and their SQL controls.
//
// Why:    a test arms a name; whoever reaches it is held, fails or dies.  Names are compared as text, for a
//         point is looked at only while something is armed.
// Locking: one spin lock over the table; one condition variable for all waiting, held processes and testers.
// Errors: reach() longjmps only as armed, or by an interrupt while it is held.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include <unistd.h>
#include <csignal>

#include "debug/delays.hpp"
#include "debug/stop_points.hpp"

namespace glassheap::debug {

namespace {

constexpr const char *kNames[] = {
#include "debug/stop_points.list"
};
constexpr const char *kAnyPoint = "*";
constexpr int kArmedMax = 16;
constexpr std::size_t kNameMax = 48;

enum class Action : std::uint8_t { none, wait, error, kill };

struct Armed {
    char name[kNameMax];
    Action action;
    int skip;  // how many passes do nothing
    int held;  // processes waiting here
};

struct Shared {
    slock_t lock;
    ConditionVariable changed;
    std::atomic<int> armed_count;
    std::atomic<std::uint32_t> delayed_processes;
    Armed armed[kArmedMax];
};
static_assert(std::atomic<int>::is_always_lock_free);

Shared *shared = nullptr;

template <typename Body>
auto with_table(Body body) noexcept {
    struct Hold {
        Hold() { SpinLockAcquire(&shared->lock); }
        ~Hold() { SpinLockRelease(&shared->lock); }
    } hold;
    return body();
}

// The table's lock is held.
Armed *find(const char *name) noexcept {
    for (Armed &point : shared->armed)
        if (point.action != Action::none &&
            (std::strcmp(point.name, name) == 0 || std::strcmp(point.name, kAnyPoint) == 0))
            return &point;
    return nullptr;
}

// The entry that was set under exactly this name.
Armed *find_exact(const char *name) noexcept {
    for (Armed &point : shared->armed)
        if (point.action != Action::none && std::strcmp(point.name, name) == 0) return &point;
    return nullptr;
}

void disarm(Armed *point) noexcept {
    point->action = Action::none;
    shared->armed_count.fetch_sub(1);
}

struct Order {
    Action action = Action::none;
    int slot = -1;
};

// What whoever passes `name` now has to do.  Errors and deaths happen once; waiting lasts until cleared.
Order take_order(const char *name, bool may_hold) noexcept {
    return with_table([&]() noexcept -> Order {
        Armed *point = find(name);
        if (point == nullptr || (!may_hold && point->action != Action::kill)) return {};
        if (point->skip > 0) {
            --point->skip;
            return {};
        }
        const Order order{point->action, static_cast<int>(point - shared->armed)};
        if (point->action == Action::wait)
            ++point->held;
        else
            disarm(point);
        return order;
    });
}

void hold(int slot, const char *name) {
    ::ConditionVariableBroadcast(&shared->changed);
    ::ConditionVariablePrepareToSleep(&shared->changed);
    while (with_table([&]() noexcept {
        const Armed *point = &shared->armed[slot];
        return point->action == Action::wait &&
               (std::strcmp(point->name, name) == 0 || std::strcmp(point->name, kAnyPoint) == 0);
    }))
        ::ConditionVariableSleep(&shared->changed, PG_WAIT_EXTENSION);
    ::ConditionVariableCancelSleep();
}

[[noreturn]] void die() noexcept {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
}

}  // namespace

void reach(const char *name) {
    if (shared == nullptr) return;
    delay_sometimes(&shared->delayed_processes);
    if (shared->armed_count.load(std::memory_order_relaxed) == 0) return;
    const Order order = take_order(name, true);
    switch (order.action) {
        case Action::none:
            return;
        case Action::wait:
            return hold(order.slot, name);
        case Action::kill:
            die();
        case Action::error:
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("stop point \"%s\" was reached", name),
                            errdetail("A test armed it with the action \"error\".")));
    }
}

void reach_crash(const char *name) noexcept {
    if (shared == nullptr || shared->armed_count.load(std::memory_order_relaxed) == 0) return;
    if (take_order(name, false).action == Action::kill) die();
}

void request_shared_memory() {
    ::RequestAddinShmemSpace(sizeof(Shared));
}

void init_shared_memory() {
    bool found;
    ::LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    shared = static_cast<Shared *>(::ShmemInitStruct("glassheap stop points", sizeof(Shared), &found));
    if (!found) {
        std::memset(static_cast<void *>(shared), 0, sizeof(Shared));
        SpinLockInit(&shared->lock);
        ::ConditionVariableInit(&shared->changed);
        new (&shared->armed_count) std::atomic<int>(0);
        new (&shared->delayed_processes) std::atomic<std::uint32_t>(0);
        if constexpr (kChecks >= 1) read_delays();
    }
    ::LWLockRelease(AddinShmemInitLock);
}

// ---- SQL

namespace {

void require_usable() {
    if (kChecks < 1)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("this build of glassheap has no stop points"),
                 errhint("Build with \"make GH_CHECKS=1\".")));
    if (shared == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("glassheap is not in shared_preload_libraries")));
    if (!::superuser())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to use stop points")));
}

char without_separators(char c) noexcept {
    return c == '.' || c == '-' ? '_' : c;
}

bool is_alike(const char *a, const char *b) noexcept {
    for (; *a != '\0'; ++a, ++b)
        if (without_separators(*a) != without_separators(*b)) return false;
    return *b == '\0';
}

// Test scripts outlive names: the room may be left out, and separators count alike.
const char *checked_name(const char *name) {
    if (std::strcmp(name, kAnyPoint) == 0) return name;
    for (const char *known : kNames)
        if (is_alike(known, name) || is_alike(std::strchr(known, '.') + 1, name)) return known;
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no stop point \"%s\"", name),
                    errhint("The names are in src/debug/stop_points.list.")));
    pg_unreachable();
}

Action checked_action(const char *action) {
    if (std::strcmp(action, "wait") == 0) return Action::wait;
    if (std::strcmp(action, "error") == 0) return Action::error;
    if (std::strcmp(action, "kill") == 0) return Action::kill;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown stop point action \"%s\"", action),
             errhint("Valid actions are \"wait\", \"error\" and \"kill\".")));
    pg_unreachable();
}

bool arm(const char *name, Action action, int skip) noexcept {
    return with_table([&]() noexcept {
        Armed *point = find_exact(name);
        if (point == nullptr) {
            for (Armed &free : shared->armed)
                if (free.action == Action::none) point = &free;
            if (point == nullptr) return false;
            shared->armed_count.fetch_add(1);
        }
        ::strlcpy(point->name, name, sizeof point->name);
        point->action = action;
        point->skip = skip;
        point->held = 0;
        return true;
    });
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(glassheap_stop_point_set);
PG_FUNCTION_INFO_V1(glassheap_stop_point_wait);
PG_FUNCTION_INFO_V1(glassheap_stop_point_clear);
PG_FUNCTION_INFO_V1(glassheap_stop_points_enabled);

// glassheap_stop_point_set(name text, action text, skip int)
PGDLLEXPORT Datum glassheap_stop_point_set(PG_FUNCTION_ARGS) {
    require_usable();
    const char *name = checked_name(::text_to_cstring(PG_GETARG_TEXT_PP(0)));
    const Action action = checked_action(::text_to_cstring(PG_GETARG_TEXT_PP(1)));
    if (!arm(name, action, PG_NARGS() > 2 ? PG_GETARG_INT32(2) : 0))
        ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                        errmsg("more than %d stop points are armed", kArmedMax)));
    PG_RETURN_VOID();
}

// glassheap_stop_point_wait(name text): until somebody is held there
PGDLLEXPORT Datum glassheap_stop_point_wait(PG_FUNCTION_ARGS) {
    require_usable();
    const char *name = checked_name(::text_to_cstring(PG_GETARG_TEXT_PP(0)));
    ::ConditionVariablePrepareToSleep(&shared->changed);
    while (with_table([&]() noexcept {
        const Armed *point = find_exact(name);
        return point == nullptr || point->held == 0;
    }))
        ::ConditionVariableSleep(&shared->changed, PG_WAIT_EXTENSION);
    ::ConditionVariableCancelSleep();
    PG_RETURN_VOID();
}

// glassheap_stop_point_clear(name text DEFAULT NULL): NULL clears all
PGDLLEXPORT Datum glassheap_stop_point_clear(PG_FUNCTION_ARGS) {
    require_usable();
    const char *name = PG_ARGISNULL(0) ? nullptr : checked_name(::text_to_cstring(PG_GETARG_TEXT_PP(0)));
    with_table([&]() noexcept {
        for (Armed &point : shared->armed)
            if (point.action != Action::none && (name == nullptr || std::strcmp(point.name, name) == 0))
                disarm(&point);
    });
    ::ConditionVariableBroadcast(&shared->changed);
    PG_RETURN_VOID();
}

PGDLLEXPORT Datum glassheap_stop_points_enabled(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_BOOL(kChecks >= 1 && shared != nullptr);
}
}

}  // namespace glassheap::debug
