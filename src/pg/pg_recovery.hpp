// pg/pg_recovery.hpp — PostgreSQL's headers for replay: recovery state, and the records of core we listen to.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg_relfile.hpp"

extern "C" {
#include "access/rmgr.h"
#include "access/xlogrecovery.h"
#include "catalog/pg_control.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands_xlog.h"
#include "common/controldata_utils.h"
#include "utils/pgstat_internal.h"
}

namespace glassheap::pg {

// Ends the standby's queries that may still need what the record takes away.
// Versions: 16 wants to know whether the table may be read by logical decoding on the standby.
inline void resolve_snapshot_conflict(TransactionId horizon, const RelFile &file) {
    ::ResolveRecoveryConflictWithSnapshot(horizon, file);
}

// Has this session been cancelled for replay, and says that its snapshot is the reason?
inline bool is_snapshot_conflict(const ErrorData &message) noexcept {
    return message.sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && message.message_id != nullptr &&
           std::strstr(message.message_id, "due to conflict with recovery") != nullptr &&
           message.detail != nullptr &&
           std::strcmp(message.detail,
                       gettext("User query might have needed to see row versions that must be "
                               "removed.")) == 0;
}
// It was counted, just now, as one for its snapshot.
// Versions: 16 names the counter conflict_snapshot.
inline void recount_conflict(ProcSignalReason reason) {
    if (!pgstat_track_counts) return;
    --::pgstat_prep_database_pending(MyDatabaseId)->n_conflict_snapshot;
    ::pgstat_report_recovery_conflict(reason);
}
inline const char *detail_of_pin_conflict(ProcSignalReason reason) noexcept {
    return reason == PROCSIG_RECOVERY_CONFLICT_BUFFERPIN
               ? gettext("User was holding shared buffer pin for too long.")
               : gettext("User transaction caused buffer deadlock with recovery.");
}

// Ends the standby's sessions in the database and keeps others out, until it is reopened.  Core does the same
// while it replays the drop; the lock is counted, so each of us gives back his own.
inline void shut_database(Oid database) {
    ::LockSharedObjectForSession(DatabaseRelationId, database, 0, AccessExclusiveLock);
    ::ResolveRecoveryConflictWithDatabase(database);
}
inline void reopen_database(Oid database) {
    ::UnlockSharedObjectForSession(DatabaseRelationId, database, 0, AccessExclusiveLock);
}

// ---- resource managers: RmgrTable is an exported array that can be written in 15 to 18
using Redo = void (*)(XLogReaderState *);

// Replays the manager's records with `ours` from now on; returns what did before.
inline Redo exchange_redo(RmgrId manager, Redo ours) noexcept {
    return std::exchange(RmgrTable[manager].rm_redo, ours);
}
inline const char *name_of_manager(RmgrId manager) noexcept {  // nullptr: there is none
    return RmgrTable[manager].rm_name;
}

}  // namespace glassheap::pg
