# test/crash/life.py: tables that come and go: TRUNCATE, DROP, CREATE, rewrites, indexes, loads into a file of the same
# transaction (which wal_level = minimal does not log), and all of that rolled back.  Each actor has a table of its own.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor
from ledger import Unit

CREATE = "CREATE TABLE {t} (id bigint PRIMARY KEY, k bigint, v int, n int, pad text) USING glassheap"


class Life(Actor):
    def ready(self):
        self.table = f"life_{self.lane}"
        self.rows = self.ledger.tables.get(self.table)

    def step(self):
        if self.rows is not None and self.chance(0.1):
            self.session.run(self.random.choice((f"VACUUM FULL {self.table}", f"CLUSTER {self.table} USING {self.table}_pkey", f"VACUUM {self.table}",
                                                 f"REINDEX TABLE {self.table}")))
            return
        before = self.rows
        unit = Unit()
        end = "ROLLBACK" if self.chance(0.3) else "COMMIT"
        try:
            self.transaction(unit, lambda: self.some_operations(unit), end)
            if end == "ROLLBACK":
                self.rows = before
        except Exception:
            self.rows = before
            raise

    def some_operations(self, unit):
        for _ in range(self.random.randint(1, 4)):
            before = self.rows
            savepoint = self.chance(0.3)
            if savepoint:
                self.session.run("SAVEPOINT s")
            self.operate()
            if savepoint and self.chance(0.4):
                self.session.run("ROLLBACK TO s")
                self.rows = before
        unit.contents[self.table] = self.rows

    def operate(self):
        if self.rows is None:
            self.session.run(CREATE.format(t=self.table))
            self.rows = {}
            self.insert()
            return
        self.random.choice((self.insert, self.insert, self.insert, self.truncate, self.drop, self.rewrite, self.index, self.update, self.delete))()

    def insert(self):
        ids = self.new_ids(self.random.choice((1, 50, 400, 1500)))
        n = self.random.randrange(1, 30)
        self.expect(self.session.run(f"INSERT INTO {self.table} SELECT g, mod(g, 1000), 0, %s, pad(g, 0, %s) FROM generate_series(%s, %s) g",
                                     (n, n, ids[0], ids[-1])), len(ids), "insert")
        self.rows = {**self.rows, **{row_id: (row_id % 1000, 0, n) for row_id in ids}}

    def truncate(self):
        self.session.run(f"TRUNCATE {self.table}")
        self.rows = {}

    def drop(self):
        self.session.run(f"DROP TABLE {self.table}")
        self.rows = None

    def rewrite(self):
        self.session.run(f"ALTER TABLE {self.table} ALTER k TYPE bigint USING k + 0")

    def index(self):
        self.session.run(f"DROP INDEX IF EXISTS {self.table}_k")
        self.session.run(f"CREATE INDEX {self.table}_k ON {self.table} (k, id)")

    def update(self):
        self.expect(self.session.run(f"UPDATE {self.table} SET v = v + 1, pad = pad(id, v + 1, n)"), len(self.rows), f"update of {self.table}")
        self.rows = {row_id: (k, v + 1, n) for row_id, (k, v, n) in self.rows.items()}

    def delete(self):
        gone = [row_id for row_id in self.rows if row_id % 3 == 0]
        self.expect(self.session.run(f"DELETE FROM {self.table} WHERE mod(id, 3) = 0"), len(gone), f"delete from {self.table}")
        self.rows = {row_id: row for row_id, row in self.rows.items() if row_id % 3}
