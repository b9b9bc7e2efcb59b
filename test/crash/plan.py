# test/crash/plan.py: what a cycle is to be, from the seed: settings of the server, delays, how many sessions of which kind.
# SPDX-License-Identifier: PostgreSQL
from loads import Loader, Single
from life import Life
from parents import Child, Keeper, Locker, Updater
from prepared import Preparer
from readers import Cold, Compare, Hints
from rows import Rows
from schema import BASE_LANE, LANES_OF_ROWS
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
        "glassheap.buffers": random.choice(("1MB", "1MB", "2MB", "4MB", "8MB", "16MB")),
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


def crew(team, random):
    """Who works in a round; the kinds are always there, their number varies."""
    team.add(Rows, LANES_OF_ROWS[: random.randint(2, 4)])
    team.add(Single, range(10, 10 + random.randint(2, 4)))
    team.add(Loader, range(BASE_LANE, BASE_LANE + random.randint(1, 2)))
    team.add(Keeper, range(30, 30 + random.randint(1, 2)))
    team.add(Updater, range(32, 32 + random.randint(2, 3)))
    team.add(Child, range(40, 40 + random.randint(2, 3)))
    team.add(Life, range(50, 50 + random.randint(1, 2)))
    team.add(Preparer, [55])
    team.add(Cold, range(61, 61 + random.randint(1, 3)))
    team.add(Hints, range(65, 65 + random.randint(1, 3)))
    team.add(Compare, [70])
    team.add(Locker, [72])
    team.add(Vacuum, [75])
    team.add(Upkeep, [76])
    team.add(Counters, [77])
