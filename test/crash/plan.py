# test/crash/plan.py: what a cycle is to be, from the seed: settings of the server, delays, how many sessions of which kind.
# SPDX-License-Identifier: PostgreSQL
from loads import Loader, Single, SmallLoader
from life import Life
from parents import Child, Keeper, Locker, Updater
from prepared import Preparer
from readers import Cold, Compare, Glances, Hints
from rows import Rows
from schema import BASE_LANE
from upkeep import Counters, Upkeep, Vacuum

CONSTANT = {
    "listen_addresses": "''",
    "shared_preload_libraries": "'glassheap'",
    "max_connections": 60,
    "max_prepared_transactions": 20,
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "log_checkpoints": "on",
    "log_line_prefix": "'%m [%p] %b %a %e '",
    "log_min_messages": "warning",
    "autovacuum_naptime": "1s",
    "autovacuum_vacuum_cost_delay": 0,
    "deadlock_timeout": "200ms",
    "update_process_title": "on",
    "restart_after_crash": "on",
    "wal_keep_size": "512MB",
    "max_standby_archive_delay": "30s",
}


def settings(random, standbys):
    """Of one round."""
    chosen = {
        "glassheap.buffers": random.choice(("1MB", "1MB", "2MB", "4MB", "8MB", "16MB", "16MB")),
        "shared_buffers": random.choice(("1MB", "2MB", "8MB", "32MB")),
        "checkpoint_timeout": random.choice(("30s", "30s", "60s", "5min")),
        "max_wal_size": random.choice(("32MB", "64MB", "256MB", "1GB")),
        "checkpoint_completion_target": random.choice((0.1, 0.5, 0.9)),
        "wal_compression": random.choice(("off", "on", "lz4")),
        "wal_level": random.choice(("replica", "logical") if standbys else ("minimal", "replica", "replica", "logical")),
        "wal_buffers": random.choice(("64kB", "1MB", "-1")),
        "autovacuum": random.choice(("on", "on", "off")),
        "autovacuum_vacuum_threshold": random.choice((5, 50)),
        "autovacuum_vacuum_scale_factor": random.choice((0.0, 0.01, 0.1)),
        "autovacuum_vacuum_insert_threshold": random.choice((5, 200)),
        "autovacuum_vacuum_insert_scale_factor": random.choice((0.0, 0.1)),
        "vacuum_freeze_min_age": random.choice((0, 1000, 50000000)),
        "vacuum_freeze_table_age": random.choice((0, 1000, 150000000)),
        "bgwriter_delay": random.choice(("10ms", "200ms")),
        "wal_writer_delay": random.choice(("10ms", "200ms")),
        "commit_delay": random.choice((0, 0, 500)),
        "effective_io_concurrency": random.choice((0, 1, 16)),
        "max_standby_streaming_delay": random.choice(("0", "1s", "30s", "-1")),
        "hot_standby_feedback": random.choice(("on", "off")),
        "recovery_prefetch": random.choice(("try", "off")),
        "fsync": random.choice(("on", "off")),
    }
    chosen["max_wal_senders"] = 0 if chosen["wal_level"] == "minimal" else 6
    return {**CONSTANT, **chosen}


# kind of actor -> (first lane, fewest, most); a focus replaces some, so that few processes share what time there is.
SESSIONS = {
    Rows: (0, 2, 4), Single: (10, 1, 3), Loader: (BASE_LANE, 1, 2), Keeper: (30, 1, 2), Updater: (32, 1, 3), Child: (40, 1, 3), Life: (50, 1, 2),
    Preparer: (55, 1, 1), Cold: (61, 1, 2), Hints: (65, 1, 2), Compare: (70, 1, 1), Locker: (72, 1, 1), Vacuum: (75, 1, 1), Upkeep: (76, 1, 1),
    Counters: (77, 1, 1),
}
NONE = (0, 0, 0)
FOCUS = {
    "all": {},
    "loads": {Single: (10, 4, 6), Loader: (BASE_LANE, 2, 2), Cold: (61, 2, 4), Rows: (0, 1, 1), Life: NONE, Preparer: NONE, Keeper: NONE,
              Updater: NONE, Child: NONE, Locker: NONE, Compare: NONE},
    "parents": {Keeper: (30, 1, 2), Updater: (32, 3, 5), Child: (40, 3, 5),
                Single: NONE, Loader: NONE, Life: NONE, Preparer: NONE, Rows: (0, 1, 1),
                Cold: (61, 1, 1), Hints: (65, 1, 1)},
    "rows": {Rows: (0, 4, 4), Hints: (65, 3, 4),
             Single: NONE, Loader: NONE, Updater: NONE, Child: NONE, Keeper: NONE, Locker: NONE, Vacuum: (75, 2, 2)},
    # loaded pages that nobody changes any more get hint bits while checkpoints write them
    "hints": {SmallLoader: (22, 1, 1), Glances: (65, 3, 4), Hints: NONE, Loader: NONE, Upkeep: NONE, Cold: NONE, Rows: NONE,
              Compare: NONE, Single: NONE, Life: NONE,
              Preparer: NONE, Keeper: NONE, Updater: NONE, Child: NONE, Locker: NONE, Vacuum: NONE},
}

# Some do much in a commit.
COMMITS = {"hints": 0.02}


def choose_focus(random):
    return random.choice(("all", "all", "loads", "parents", "rows", "hints"))


def crew(team, random, focus):
    """Who works in a round."""
    for kind, numbers in {**SESSIONS, **FOCUS[focus]}.items():
        first, fewest, most = numbers
        team.add(kind, range(first, first + random.randint(fewest, most)))
