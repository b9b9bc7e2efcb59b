# test/crash/upkeep.py: what an administrator and a monitor do beside the load: VACUUM in its ways, indexes, CHECKPOINT, sessions
# terminated; and the counters, which a crash takes away.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor
from waiting import clock, pause

TABLES = ("rows", "big", "par", "kid", "rows", "big")


class Vacuum(Actor):
    options = "-c lock_timeout=5s"

    def step(self):
        table = self.random.choice(TABLES)
        how = self.random.choice(("", "", "(FREEZE)", "(TRUNCATE on, INDEX_CLEANUP on)", "(ANALYZE)", "(DISABLE_PAGE_SKIPPING)"))
        self.session.run(f"VACUUM {how} {table}")


class Upkeep(Actor):
    options = "-c lock_timeout=3s"

    def step(self):
        kind = self.random.random()
        if kind < 0.35:
            self.session.run("CHECKPOINT")
        elif kind < 0.5:
            self.index()
        elif kind < 0.6 and self.crew.may_terminate:
            self.session.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
                             "AND application_name ~ '^(rows|life|child|single|preparer)' ORDER BY random() LIMIT 1")
        else:
            self.session.run("SELECT count(*) FROM big WHERE k < 10")
        for _ in range(self.random.randrange(30)):
            pause(0.05)
            if self.crew.stopping.is_set():
                return

    def index(self):
        table = self.random.choice(("rows", "big", "kid"))
        concurrently = self.random.choice(("", "CONCURRENTLY"))
        self.session.run(f"DROP INDEX IF EXISTS {table}_v{self.lane}")
        self.session.run(f"CREATE INDEX {concurrently} {table}_v{self.lane} ON {table} (v, id)")


COUNTERS = "SELECT sum(evictions)::bigint, sum(extends)::bigint FROM glassheap_stat_io"


class Counters(Actor):
    """Adds up what the server counts, across its crashes."""

    def step(self):
        if self.crew.totals is None:
            self.crew.stopping.wait(1)
            return
        seen = tuple(value or 0 for value in self.session.run(COUNTERS)[0])
        for name, old, new in zip(("evictions", "extensions"), self.server.counted, seen):
            self.crew.totals[name] += new - old if new >= old else new
        self.server.counted = seen
        end = clock() + 0.7
        while clock() < end and not self.crew.stopping.is_set():
            pause(0.05)
