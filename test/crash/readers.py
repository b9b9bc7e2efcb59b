# test/crash/readers.py: sessions that only read: they push pages out of the pool, set hint bits while others write, and
# compare the ways to read a table with one another under way.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor
from faults import Fault
from ledger import LANE
from schema import COLD_LANE, FIRST

BY_INDEX_ONLY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
BY_SEQUENCE = "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off"


class Cold(Actor):
    """Single pages of a table larger than the pool."""

    def step(self):
        count, n = FIRST["cold"][0][1:]
        ids = [COLD_LANE * LANE + 1 + self.random.randrange(count) for _ in range(self.random.choice((20, 60, 300)))]
        rows = self.session.run("SELECT count(*) FROM cold WHERE id = ANY(%s) AND length(pad) = 32 * %s", (ids, n))
        self.expect(rows[0][0], len(set(ids)), "rows of cold")


class Hints(Actor):
    """Looks at rows soon after they were written: index scans set hint bits, row by row."""

    options = "-c lock_timeout=20s -c enable_seqscan=off -c enable_bitmapscan=off -c enable_indexonlyscan=off"

    def step(self):
        table = self.random.choice(("rows", "big", "big", "par", "kid"))
        lows = [self.random.randrange(1000) for _ in range(30)]
        self.session.run(f"SELECT count(v) FROM unnest(%s) low JOIN {table} ON k BETWEEN low AND low + 3", (lows,))


class Glances(Hints):
    """The same, a row here and there: a page that was loaded gets its hint bits one by one, for seconds."""

    def step(self):
        for _ in range(20):
            self.session.run("SELECT count(v) FROM big WHERE k = %s", (self.random.randrange(1000),))


class Compare(Actor):
    """One snapshot, two ways: a count by the primary key, which trusts the visibility map, and one of the pages."""

    tables = ("rows", "par", "kid", "big")
    options = "-c lock_timeout=20s -c max_parallel_workers_per_gather=0"

    def step(self):
        table = self.random.choice(self.tables)
        self.session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.session.run(BY_INDEX_ONLY)
        by_index = self.session.run(f"SELECT count(*) FROM {table} WHERE id >= 0")[0][0]
        self.session.run(BY_SEQUENCE)
        by_page = self.session.run(f"SELECT count(*) FROM {table} WHERE id >= 0")[0][0]
        self.session.run("COMMIT")
        if by_index != by_page:
            raise Fault(f"{self.server.name}, in one snapshot: {by_index} rows of {table} by index-only scan, {by_page} in the pages")
