#!/usr/bin/env python3
"""A random history of one table, as psql commands; after some of its steps the pages are dumped.

    generate.py SEED STEPS > history.psql

Run it once with heap and once with glassheap (variables: am, kind, raw_page, map); the two outputs must be
equal, line by line: same slots, same offsets, same header bits, same visibility map.  compare does that.

Not dumped: transaction ids, and the hint "inserter committed", which our scans need not write.

SPDX-License-Identifier: PostgreSQL
"""
import random
import sys

rng = random.Random(int(sys.argv[1]))
steps = int(sys.argv[2])
XMIN_COMMITTED = 256


def say(line):
    print(line)


def head():
    indexes = rng.choice([0, 1, 2])
    say("CREATE :kind TABLE hist (id int, k int, pad text) USING :am WITH (fillfactor = %d, autovacuum_enabled = off);"
        % rng.choice([100, 90, 50, 20]))
    say("ALTER TABLE hist ALTER pad SET STORAGE PLAIN;")
    if indexes > 0:
        say("CREATE INDEX ON hist (id);")
    if indexes > 1:
        say("CREATE INDEX ON hist (k);")
    say("PREPARE dump AS")
    say("  WITH p AS MATERIALIZED (SELECT n, :raw_page('hist', n::bigint) b")
    say("                          FROM generate_series(0, pg_relation_size('hist') / 8192 - 1) n)")
    say("  SELECT n || ' ' || (h.lower, h.upper, h.flags, h.prune_xid = '0')::text FROM p, page_header(b) h")
    say("  UNION ALL (SELECT n || ' ' || (lp, lp_off, lp_flags, lp_len, t_infomask & ~%d, t_infomask2, t_hoff, t_ctid,"
        % XMIN_COMMITTED)
    say("                     md5(t_data))::text FROM p, heap_page_items(b) ORDER BY n, lp)")
    say("  UNION ALL SELECT 'map ' || m::text FROM :map('hist') m;")


class History:
    def __init__(self):
        self.in_transaction = False
        self.savepoints = 0
        self.rows = 0

    def insert(self):
        count = rng.choice([1, 3, 40, 200])
        say("INSERT INTO hist SELECT g, g %% 10, repeat('x', %d) FROM generate_series(%d, %d) g;"
            % (rng.choice([0, 10, 100, 400, 1500]), self.rows, self.rows + count - 1))
        self.rows += count

    def some(self):
        p = rng.choice([2, 3, 5, 7, 11, 23])
        return "id %% %d = %d AND id %s %d" % (p, rng.randrange(p), rng.choice("<>"), rng.randrange(self.rows + 1))

    def update(self):
        say("UPDATE hist SET pad = repeat('%s', %d) WHERE %s;"
            % (chr(97 + rng.randrange(26)), rng.choice([0, 10, 100, 400, 1500]), self.some()))

    def update_column(self):
        say("UPDATE hist SET k = k + 1 WHERE %s;" % self.some())

    def update_one(self):
        say("UPDATE hist SET id = id WHERE id = %d;" % rng.randrange(self.rows + 1))

    def delete(self):
        say("DELETE FROM hist WHERE %s;" % self.some())

    def select(self):
        say("SELECT count(*), sum(length(pad)) FROM hist WHERE k >= 0;")

    def lock(self):
        mode = rng.choice(["UPDATE", "SHARE", "KEY SHARE", "NO KEY UPDATE"])
        say("SELECT count(*) FROM (SELECT 1 FROM hist WHERE %s FOR %s) s;" % (self.some(), mode))

    def vacuum(self):
        if not self.in_transaction:
            say("VACUUM %shist;" % rng.choice(["", "", "(FREEZE) "]))

    def begin(self):
        if not self.in_transaction:
            say("BEGIN;")
            self.in_transaction, self.savepoints = True, 0

    def end(self):
        if self.in_transaction:
            say(rng.choice(["COMMIT;", "COMMIT;", "ROLLBACK;"]))
            self.in_transaction = False

    def savepoint(self):
        if self.in_transaction:
            self.savepoints += 1
            say("SAVEPOINT s%d;" % self.savepoints)

    def rollback_to(self):
        if self.in_transaction and self.savepoints:
            say("ROLLBACK TO s%d;" % self.savepoints)

    def dump(self):
        say("EXECUTE dump;")


head()
history = History()
deeds = {history.insert: 18, history.update: 22, history.update_column: 6, history.update_one: 5,
         history.delete: 10, history.select: 10, history.lock: 6, history.vacuum: 6, history.begin: 8,
         history.end: 12, history.savepoint: 5, history.rollback_to: 5, history.dump: 3}
for _ in range(steps):
    rng.choices(list(deeds), list(deeds.values()))[0]()
history.end()
say("VACUUM hist;")
history.dump()
say("DEALLOCATE dump;")
say("DROP TABLE hist;")
