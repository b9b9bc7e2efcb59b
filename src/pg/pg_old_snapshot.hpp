// pg/pg_old_snapshot.hpp — old_snapshot_threshold: rows may go before the last snapshot that sees them.
//
// Why:    readers whose snapshot has become too old get an error instead of such rows; who removes them says
//         so, who reads a page asks.
// Versions: 17 removed the setting: all of this is then "no".
// Errors: check_snapshot_age may longjmp (SNAPSHOT_TOO_OLD), so may limit_for_old_snapshots.
// SPDX-License-Identifier: PostgreSQL
#pragma once

#include "pg/pg.hpp"

namespace glassheap::pg {

struct OldSnapshotLimit {
    TransactionId xmin = InvalidTransactionId;  // versions dead to this may go
    TimestampTz ts = 0;
};

inline bool old_snapshots_may_fail() noexcept {
    return old_snapshot_threshold >= 0;
}
// PostgreSQL's own tests set it to 0: then every look at a page ages the snapshots.
inline bool old_snapshots_fail_at_once() noexcept {
    return old_snapshot_threshold == 0;
}
inline void age_snapshots_for_test() {
    ::SnapshotTooOldMagicForTest();
}
inline void check_snapshot_age(Snapshot snapshot, Relation rel, char *page) {
    ::TestForOldSnapshot(snapshot, rel, page);
}
// False: the setting allows nothing more than the horizon does.
inline bool limit_for_old_snapshots(GlobalVisState *vistest, Relation rel, OldSnapshotLimit *limit) {
    const TransactionId horizon = ::GlobalVisTestNonRemovableHorizon(vistest);
    return ::TransactionIdLimitedForOldSnapshots(horizon, rel, &limit->xmin, &limit->ts);
}
// Rows were removed by it.
inline void note_old_snapshot_limit_used(const OldSnapshotLimit &limit) {
    ::SetOldSnapshotThresholdTimestamp(limit.ts, limit.xmin);
}

}  // namespace glassheap::pg
