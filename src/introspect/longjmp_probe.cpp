// introspect/longjmp_probe.cpp — what an error does to C++ frames, shown on this compiler
//         (doc/design/rooms.md#pg-what-an-error-may-abandon).
//
// Why:    we rely on one thing that the C++ standard leaves open: ereport(ERROR) jumps over frames, their
//         destructors are skipped, and nothing else happens.  sql/longjmp_contract.sql calls this to see that
//         it holds, and that PostgreSQL's own unwinding returns what the skipped guards held.  Not part of
//         the extension's script.
// Errors: raises ERRCODE_T_R_SERIALIZATION_FAILURE with detail and hint when told to.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

#include "buffer/pool.hpp"

namespace glassheap::introspect {

namespace {

constinit int destructors_run = 0;

// A guard as the rooms use them: success path in the destructor, error path with the resource owner.
class CountedPin {
public:
    explicit CountedPin(buffer::PinnedPage page) noexcept : page_(std::move(page)) {}
    ~CountedPin() { ++destructors_run; }
    CountedPin(const CountedPin &) = delete;
    CountedPin &operator=(const CountedPin &) = delete;
    const buffer::PinnedPage &page() const noexcept { return page_; }

private:
    buffer::PinnedPage page_;
};

void hold_and_maybe_fail(Relation rel, bool fail) {
    const CountedPin pin(buffer::read_page(rel, MAIN_FORKNUM, 0));
    const buffer::ShareLatch latch(pin.page());
    if (fail)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("probe: failing as told"),
                        errdetail("A pin and a latch are held."), errhint("Nothing to do.")));
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(glassheap_longjmp_probe);

// (rel regclass, fail bool) -> how many guards of this session were destroyed so far.
PGDLLEXPORT Datum glassheap_longjmp_probe(PG_FUNCTION_ARGS) {
    Relation rel = ::table_open(PG_GETARG_OID(0), AccessShareLock);
    hold_and_maybe_fail(rel, PG_GETARG_BOOL(1));
    ::table_close(rel, AccessShareLock);
    PG_RETURN_INT32(destructors_run);
}
}  // extern "C"

}  // namespace glassheap::introspect
