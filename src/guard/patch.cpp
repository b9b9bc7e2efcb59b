// guard/patch.cpp — see patch.hpp and README.md.
//
// Why:    libraries come when the server starts and, later, whenever a process loads one.  The server loads
//         them all with one call of dlopen, through an entry of its own linkage table: that entry leads to
//         us. So a library is guarded before any of its functions is called, in whatever process, and no
//         other place has to look whether something new has come.
// Invariants: guard.P1 an entry is changed only if it leads to the server's function of that name, or has not
//            been bound yet; what somebody else put there stays, and is reported.
//         guard.P2 what the postmaster changed, its children inherit; doing it again changes nothing.
//         guard.P4 who took the server's dlopen before us is still called.
//         guard.P5 a pointer that a library copied out of an entry before we came cannot be told from other
//            data and stays; it is reported.
//         guard.P6 what stays unguarded is not let in (unguarded.hpp); what is in already is reported.
// Locking: the loader's lock while dl_iterate_phdr runs: nothing under it allocates, logs or raises errors.
// Errors: refuse_library()'s, when a library is loaded and when the server starts; otherwise a WARNING.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"
//
#include <dlfcn.h>

#include "guard/examined.hpp"
#include "guard/linkage.hpp"
#include "guard/patch.hpp"
#include "guard/unguarded.hpp"
#include "guard/wrap.hpp"
#include "pg/pg_guarded.hpp"

namespace glassheap::guard {

namespace {

// ---- reported once: libraries are loaded again in every session

struct Reported {
    static constexpr int kMost = 128;
    std::atomic<std::uint64_t> libraries[kMost];  // hashes of their paths; 0: free
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

Reported *reported = nullptr;

bool first_report(const char *path) {
    // A worker without access to shared memory (BGWORKER_SHMEM_ACCESS) has let it go.
    if (reported == nullptr || UsedShmemSegAddr == nullptr) return true;
    const auto bytes = reinterpret_cast<const unsigned char *>(path);
    const std::uint64_t hash =
        ::hash_bytes_extended(bytes, static_cast<int>(std::strlen(path)), 0) | 1;  // never 0
    for (auto &known : reported->libraries) {
        std::uint64_t expected = 0;
        if (known.compare_exchange_strong(expected, hash)) return true;
        if (expected == hash) return false;
    }
    return true;  // no room: rather twice than never
}

// ---- changing entries

// Of one look.
struct Outcome {
    static constexpr int kMost = 32;
    struct Library {
        const char *path;  // the loader's own copy: stays as long as the library
        int guarded;
    };
    Library libraries[kMost];
    int count = 0;

    // Counted together, if there is no place.
    void add(const Library &library) noexcept {
        if (count < kMost) {
            libraries[count++] = library;
            return;
        }
        Library &rest = libraries[kMost - 1];
        rest = {"(several)", rest.guarded + library.guarded};
    }
};

constinit Examined examined = {};

bool is_server(const LoadedObject &object) noexcept {
    return object.contains(reinterpret_cast<const void *>(&::heap_insert));
}

bool is_foreign(const LoadedObject &object) noexcept {
    return !is_server(object) && !object.contains(reinterpret_cast<const void *>(&is_foreign));
}

void note(Unguarded *unguarded, const Guarded *function, int *count) noexcept {
    unguarded->functions[function - guarded_functions] = true;
    ++*count;
}

// guard.P5.  Only libraries that import the functions are looked through.
void find_copies(const LoadedObject &object, Unguarded *unguarded) noexcept {
    object.each_word([&](const void *word) {
        if (const Guarded *function = find_stock(word)) note(unguarded, function, &unguarded->copies);
    });
}

// Its entries, of which some are led to us only now.
struct Entries {
    int guarded = 0;
    int changed = 0;
};

// false: it leads elsewhere, still.
bool lead_to_us(const LoadedObject &object, const Import &import, const Guarded *function) noexcept {
    void *leads_to = import.leads_to();
    const bool unbound = import.binds_late && object.contains(leads_to);
    return (leads_to == function->stock || unbound) &&
           object.redirect(import, function->wrapper);  // guard.P1
}

Entries guard_entries(const LoadedObject &object, Unguarded *unguarded) noexcept {
    Entries entries;
    object.each_import([&](const Import &import) {
        const Guarded *function = find_guarded(import.name);
        if (function == nullptr) return;
        if (import.leads_to() == function->wrapper) {
            ++entries.guarded;
        } else if (lead_to_us(object, import, function)) {
            ++entries.guarded;
            ++entries.changed;
        } else {
            note(unguarded, function, &unguarded->entries);
        }
    });
    object.each_unknown([&](const char *name) {
        if (const Guarded *function = find_guarded(name)) note(unguarded, function, &unguarded->entries);
    });
    return entries;
}

int guard_object(dl_phdr_info *info, std::size_t, void *argument) {
    auto *outcome = static_cast<Outcome *>(argument);
    Examined::Object *known = examined.find(*info);
    if (known != nullptr && !examined.rechecks()) return 0;
    const LoadedObject object(*info);
    Unguarded unguarded = {};
    const Entries entries = is_foreign(object) ? guard_entries(object, &unguarded) : Entries{};
    const bool imports = entries.guarded + unguarded.entries > 0;
    // Not the one that we have led to us: it was unloaded and has come again.
    const bool first_time = known == nullptr || entries.changed > 0;
    if (!first_time && known->escapes() && imports) return 0;  // its first verdict stays
    if (known == nullptr) known = examined.add(*info);
    if (first_time && imports) find_copies(object, &unguarded);
    if (first_time && entries.guarded > 0) outcome->add({object.path(), entries.guarded});
    const Verdict verdict = unguarded.entries + unguarded.copies > 0 ? Verdict::escapes : Verdict::guarded;
    // A look at it again does not count as its coming.  (Not known: it is another thread's, next time.)
    if (known != nullptr && (first_time || verdict != known->verdict))
        known->judge(verdict, examined.looks());
    return 0;
}

int begin_examination(dl_phdr_info *info, std::size_t, void *) noexcept {
    examined.begin(*info);
    return 1;
}

int end_examination(dl_phdr_info *info, std::size_t, void *) noexcept {
    examined.end(*info);
    return 1;
}

void report_guarded(const Outcome &outcome) {
    for (int i = 0; i < outcome.count; ++i) {
        const Outcome::Library &library = outcome.libraries[i];
        if (!first_report(library.path)) continue;
        ereport(LOG, (errmsg("glassheap guards %d call(s) of heap's functions in library \"%s\"",
                             library.guarded, base_name(library.path)),
                      errdetail("With glassheap tables they work in glassheap's pool.  See "
                                "glassheap_foreign_writers().")));
    }
}

int count_objects(dl_phdr_info *info, std::size_t, void *argument) noexcept {
    *static_cast<std::size_t *>(argument) = info->dlpi_adds - info->dlpi_subs;
    return 1;
}

// Nothing allocates during the walk.
void make_room() {
    constexpr std::size_t kSpare = 64;
    std::size_t objects = 0;
    ::dl_iterate_phdr(count_objects, &objects);
    const std::size_t most = examined.objects().size() + objects + kSpare;  // those that are gone, too
    if (most <= examined.room()) return;
    void *old = examined.move_to(
        ::MemoryContextAllocHuge(TopMemoryContext, 2 * most * sizeof(Examined::Object)), 2 * most);
    if (old != nullptr) ::pfree(old);
}

void examine() {
    make_room();
    Outcome outcome;
    ::dl_iterate_phdr(begin_examination, nullptr);
    ::dl_iterate_phdr(guard_object, &outcome);
    ::dl_iterate_phdr(end_examination, nullptr);
    report_guarded(outcome);
}

Unguarded describe(const Examined::Object &known) {
    const LoadedObject object(known.info);
    Unguarded unguarded = {};
    guard_entries(object, &unguarded);
    find_copies(object, &unguarded);
    ::strlcpy(unguarded.library, object.path(), sizeof unguarded.library);
    return unguarded;
}

// Said by every process it happens in: the same library may be sound in the next one.
void warn_once(Examined::Object *object) {
    if (object->verdict == Verdict::warned_of) return;
    object->verdict = Verdict::warned_of;
    warn_of_library(describe(*object));
}

// Libraries that are here, whoever loaded them.
void guard_libraries() {
    examine();
    for (std::size_t i = 0; i < examined.objects().size(); ++i)  // a log hook may load something
        if (examined.objects()[i].verdict == Verdict::escapes) warn_once(&examined.objects()[i]);
}

// The same for the server, which need not start.
void guard_server() {
    examine();
    for (const Examined::Object &object : examined.objects())
        if (object.escapes() && refuses_unguarded()) refuse_library(nullptr, describe(object));
    guard_libraries();
}

// ---- one library is loaded

struct Load {
    const char *file;
    void *handle;
    std::uint64_t looks;  // before it
};

// As the loader finds it, whatever the files are called.  Takes the loader's lock.
bool reaches(void *handle, const Examined::Object &known) {
    const LoadedObject object(known.info);
    bool found = false;
    object.each_export([&](const char *name) { found = found || object.contains(::dlsym(handle, name)); });
    return found;
}

ElfW(Addr) base_of(void *handle) noexcept {
    link_map *library = nullptr;
    return ::dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void *>(&library)) == 0 ? library->l_addr : 0;
}

// An error within a load, or before its judgement, leaves unsaid who brought what: then whatever came with it
// is taken for that.
bool came_with(const Load &load, const Examined::Object &object) noexcept {
    const Examined::Object *loaded = examined.find_at(base_of(load.handle));
    return loaded != nullptr && loaded->look == object.look;
}

bool uses(const Load &load, const Examined::Object &object) {
    if (object.look > load.looks || reaches(load.handle, object)) return true;
    if (object.brought_by == 0) return came_with(load, object);
    const Examined::Object *brought_by = examined.find_at(object.brought_by);
    return brought_by != nullptr && reaches(load.handle, *brought_by);
}

// guard.U1
void judge(const Load &load) {
    examine();
    const bool refuses = refuses_unguarded();
    const Examined::Object *culprit = nullptr;
    for (std::size_t i = 0; i < examined.objects().size(); ++i) {
        Examined::Object &object = examined.objects()[i];
        const bool is_new = object.look > load.looks;
        const bool told = !refuses && object.verdict == Verdict::warned_of && !is_new;
        if (!object.escapes() || told || !uses(load, object)) continue;
        // A nested load has named its own.
        if (is_new && object.brought_by == 0) object.brought_by = base_of(load.handle);
        if (!refuses) {
            warn_once(&object);
        } else {
            if (culprit == nullptr) culprit = &object;
            if (object.verdict == Verdict::escapes) object.verdict = Verdict::refused;
        }
    }
    ::dlerror();  // what was not found is nobody's error
    if (culprit != nullptr) refuse_library(load.file, describe(*culprit));
}

// ---- the server's dlopen

using Dlopen = void *(*)(const char *, int);
constinit Dlopen next_dlopen = ::dlopen;

// What is refused stays: its constructors may have left a thread or a callback behind.  Nobody finds its
// symbols meanwhile; glibc's dlopen, too, shows them to others only after the constructors.
extern "C" void *gh_dlopen(const char *file, int flags) {
    guard_libraries();  // what libraries loaded by themselves is not this one's fault
    const std::uint64_t looks = examined.looks();
    void *handle = next_dlopen(file, flags & ~RTLD_GLOBAL);
    if (handle == nullptr) return nullptr;
    judge({file, handle, looks});
    if ((flags & RTLD_GLOBAL) == 0) return handle;
    void *shown = next_dlopen(file, flags | RTLD_NOLOAD);
    if (shown == nullptr) return handle;
    ::dlclose(handle);  // one of two
    return shown;
}

int redirect_dlopen(dl_phdr_info *info, std::size_t, void *argument) {
    const LoadedObject object(*info);
    if (!is_server(object)) return 0;
    object.each_import([&](const Import &import) {
        if (std::strcmp(import.name, "dlopen") != 0) return;
        void *was = import.leads_to();
        if (was == reinterpret_cast<void *>(gh_dlopen)) return;  // it would call itself for ever
        if (!object.redirect(import, reinterpret_cast<void *>(gh_dlopen))) return;
        *static_cast<bool *>(argument) = true;
        // Not bound yet, it would bind itself to the loader's function, over ours.
        if (!object.contains(was)) next_dlopen = reinterpret_cast<Dlopen>(was);  // guard.P4
    });
    return 1;
}

struct Visitor {
    void (*visit)(const ForeignUse &use, void *argument);
    void *argument;
};

int show_object(dl_phdr_info *info, std::size_t, void *argument) {
    const LoadedObject object(*info);
    if (!is_foreign(object)) return 0;
    const auto *visitor = static_cast<const Visitor *>(argument);
    int entries[kMostGuarded] = {};
    int guarded[kMostGuarded] = {};
    bool imports = false;
    object.each_import([&](const Import &import) {
        const Guarded *function = find_guarded(import.name);
        if (function == nullptr) return;
        imports = true;
        // The others are words that lead to the server's function: counted below, with the copies.
        if (import.leads_to() != function->stock || !object.is_word(import.entry))
            ++entries[function - guarded_functions];
        if (import.leads_to() == function->wrapper) ++guarded[function - guarded_functions];
    });
    object.each_unknown([&](const char *name) {
        const Guarded *function = find_guarded(name);
        if (function == nullptr) return;
        imports = true;
        ++entries[function - guarded_functions];
    });
    if (!imports) return 0;
    // Entries that could not be redirected, and copies (guard.P5).
    object.each_word([&](const void *word) {
        if (const Guarded *function = find_stock(word)) ++entries[function - guarded_functions];
    });
    for (std::size_t i = 0; i < guarded_count; ++i)
        if (entries[i] > 0)
            visitor->visit({.library = object.path(),
                            .function = &guarded_functions[i],
                            .entries = entries[i],
                            .guarded = guarded[i]},
                           visitor->argument);
    return 0;
}

}  // namespace

void refuse(Relation rel, const void *stock, const void *return_address) {
    const char *function = "this function";
    for (std::size_t i = 0; i < guarded_count; ++i)
        if (guarded_functions[i].stock == stock) function = guarded_functions[i].name;
    // A call in tail position returns to the server, and says nothing of the library.
    Dl_info caller;
    Dl_info server;
    const bool known = ::dladdr(return_address, &caller) != 0 && ::dladdr(stock, &server) != 0 &&
                       caller.dli_fname != nullptr && caller.dli_fbase != server.dli_fbase;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("%s cannot be used with glassheap table \"%s\"", function, RelationGetRelationName(rel)),
             known ? errdetail("It was called by \"%s\", which takes the table for a heap table.",
                               base_name(caller.dli_fname))
                   : 0,
             errhint("Make it one: ALTER TABLE %s SET ACCESS METHOD heap.",
                     ::quote_qualified_identifier(::get_namespace_name(RelationGetNamespace(rel)),
                                                  RelationGetRelationName(rel))),
             errtable(rel)));
}

void each_foreign_use(void (*visit)(const ForeignUse &use, void *argument), void *argument) {
    guard_libraries();
    Visitor visitor{visit, argument};
    ::dl_iterate_phdr(show_object, &visitor);
}

void install() {
    for (std::size_t i = 1; i < guarded_count; ++i)  // guard.F1
        GH_ASSERT(std::strcmp(guarded_functions[i - 1].name, guarded_functions[i].name) < 0);
    bool hooked = false;
    ::dl_iterate_phdr(redirect_dlopen, &hooked);
    if (!kArchitectureKnown)
        refuse_or_warn_of_server("It does not know this kind of processor.");
    else if (!hooked)
        refuse_or_warn_of_server("The server's dlopen cannot be redirected.");
    guard_server();
}

void request_shared_memory() {
    ::RequestAddinShmemSpace(sizeof(Reported));
}

void init_shared_memory() {
    bool found;
    void *memory = ::ShmemInitStruct("glassheap import guard", sizeof(Reported), &found);
    const bool again = reported != nullptr;
    reported = found ? static_cast<Reported *>(memory) : ::new (memory) Reported{};
    if (again) note_restart();
    guard_server();
}

}  // namespace glassheap::guard
