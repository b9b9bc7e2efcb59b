// test/modules/longjmp_probe/longjmp_probe.cpp — what an error does to C++ frames, shown on this compiler
//         (doc/design/rooms.md#pg-what-an-error-may-abandon).
//
// Why:    we rely on one thing that the C++ standard leaves open: ereport(ERROR) jumps over frames, their
//         destructors are skipped, and nothing else happens.  t/150_longjmp_contract.pl calls this to see that
//         it holds, and that PostgreSQL's own unwinding gives back what the skipped guards held: a pin in
//         our pool, and a lock.  Compiled with the compiler and the flags of the module; uses what any extension may.
// Errors: raises ERRCODE_T_R_SERIALIZATION_FAILURE with detail and hint when told to.
// SPDX-License-Identifier: PostgreSQL
#include "pg/pg.hpp"

extern "C" {
#include "utils/fmgrprotos.h"

PG_MODULE_MAGIC;
}

namespace {

constinit int destructors_run = 0;

// Guards as the rooms have them: success path in the destructor, error path with the resource owner.
class CountedPin {
public:
    // A scan that stands on a row keeps the row's page pinned.
    explicit CountedPin(Relation rel)
        : slot_(::table_slot_create(rel, nullptr)),
          scan_(::table_beginscan(rel, ::GetActiveSnapshot(), 0, nullptr)) {
        if (!::table_scan_getnextslot(scan_, ForwardScanDirection, slot_)) elog(ERROR, "the table is empty");
    }
    ~CountedPin() {
        ++destructors_run;
        ::table_endscan(scan_);
        ::ExecDropSingleTupleTableSlot(slot_);
    }
    CountedPin(const CountedPin &) = delete;
    CountedPin &operator=(const CountedPin &) = delete;

private:
    TupleTableSlot *slot_;
    TableScanDesc scan_;
};

class CountedLock {
public:
    // One that nobody wants after the start of the server.
    CountedLock() { ::LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE); }
    ~CountedLock() {
        ++destructors_run;
        ::LWLockRelease(AddinShmemInitLock);
    }
    CountedLock(const CountedLock &) = delete;
    CountedLock &operator=(const CountedLock &) = delete;
};

void hold_and_maybe_fail(Relation rel, bool fail) {
    if (::LWLockHeldByMe(AddinShmemInitLock)) elog(ERROR, "an earlier failure has left the lock behind");
    const CountedPin pin(rel);
    // Whoever has this lock sees what is held here.
    ::DirectFunctionCall1(pg_advisory_xact_lock_shared_int8, Int64GetDatum(1));
    const CountedLock lock;
    if (fail)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("probe: failing as told"),
                        errdetail("A pin and a lock are held."), errhint("Nothing to do.")));
}

}  // namespace

extern "C" {
PG_FUNCTION_INFO_V1(longjmp_probe);

// (rel regclass, fail bool) -> how many guards of this session were destroyed so far.
PGDLLEXPORT Datum longjmp_probe(PG_FUNCTION_ARGS) {
    Relation rel = ::table_open(PG_GETARG_OID(0), AccessShareLock);
    hold_and_maybe_fail(rel, PG_GETARG_BOOL(1));
    ::table_close(rel, AccessShareLock);
    PG_RETURN_INT32(destructors_run);
}
}
