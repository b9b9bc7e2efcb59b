// pg/pg_process.hpp — processes and what they show of themselves: their number, their virtual transaction,
// and that they hold checkpoints off.
//
// Why:    the checkpoint holders show a virtual transaction without running one (doc/design/checkpoints.md),
//         a change that writes through holds checkpoints off, and each process has a slot of ours.
// Versions: 17 numbers processes by ProcNumber (MyProcNumber, procNumber in VirtualTransactionId), keeps the
//         local transaction id in PGPROC.vxid, and asks AmAutoVacuumWorkerProcess().
// Errors: never longjmps, except cancel_transaction.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "storage/sinvaladt.h"
}

namespace glassheap::pg {

// ---- processes by number: 0 .. as many as PostgreSQL has slots for
inline int my_process_number() noexcept {
    return MyProc->pgprocno;
}
inline bool has_process_slot() noexcept {
    return MyProc != nullptr;
}
inline void wake_process(int number) noexcept {
    ::SetLatch(&ProcGlobal->allProcs[number].procLatch);
}
inline bool is_my_process(int number) noexcept {
    return &ProcGlobal->allProcs[number] == MyProc;
}
inline bool waits_for_lock(int number) noexcept {
    return ProcGlobal->allProcs[number].waitLock != nullptr;
}
// A transaction that a process runs, as others see it; 0: none.  Not used again before 2^32 transactions.
using RunningTransaction = std::uint64_t;  // in the lower 56 bits

inline RunningTransaction transaction_of(int number) noexcept {
    const PGPROC &process = ProcGlobal->allProcs[number];
    VirtualTransactionId vxid;
    GET_VXID_FROM_PGPROC(vxid, process);
    if (!VirtualTransactionIdIsValid(vxid)) return 0;
    return RunningTransaction{vxid.localTransactionId} << 24 | static_cast<std::uint32_t>(vxid.backendId);
}
// As a conflict with recovery; nothing if it has ended.  It takes its snapshot for the reason: of pins it
// looks for those in shared_buffers only, and would go on.
inline void cancel_transaction(RunningTransaction transaction) {
    const VirtualTransactionId vxid = {static_cast<BackendId>(transaction & 0xFFFFFF),
                                       static_cast<LocalTransactionId>(transaction >> 24)};
    ::CancelVirtualTransaction(vxid, PROCSIG_RECOVERY_CONFLICT_SNAPSHOT);
}
inline bool is_autovacuum_worker() noexcept {
    return ::IsAutoVacuumWorkerProcess();
}

// ---- the virtual transaction that others see
inline LocalTransactionId my_lxid() noexcept {
#if PG_VERSION_NUM >= 170000
    return MyProc->vxid.lxid;
#else
    return MyProc->lxid;
#endif
}
inline void set_my_lxid(LocalTransactionId lxid) noexcept {
#if PG_VERSION_NUM >= 170000
    MyProc->vxid.lxid = lxid;
#else
    MyProc->lxid = lxid;
#endif
}

// ---- holding checkpoints off: a checkpoint waits before it begins to write (start), or before it ends
// (complete), for each process that had the flag when it looked
enum class Delay : int {
    start = DELAY_CHKPT_START,
    start_and_complete = DELAY_CHKPT_START | DELAY_CHKPT_COMPLETE,
};
inline bool delays_checkpoints(Delay which = Delay::start) noexcept {  // any of them
    return (MyProc->delayChkptFlags & static_cast<int>(which)) != 0;
}
inline void delay_checkpoints(Delay which = Delay::start) noexcept {
    MyProc->delayChkptFlags |= static_cast<int>(which);
}
inline void stop_delaying_checkpoints(Delay which = Delay::start) noexcept {
    MyProc->delayChkptFlags &= ~static_cast<int>(which);
}

}  // namespace glassheap::pg
