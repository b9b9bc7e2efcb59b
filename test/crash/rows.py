# test/crash/rows.py: sessions that change small tables row by row: HOT and other updates, moves, savepoints, row locks.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor, unit_of
from ledger import Unit

MOST_ROWS = 1200

INSERT = "INSERT INTO {t} SELECT u.*, pad(id, v, n) FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) u (id, k, v, n)"
UPDATE = ("UPDATE {t} SET k = u.k, v = u.v, n = u.n, pad = pad(u.id, u.v, u.n) "
          "FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) u (id, k, v, n) WHERE {t}.id = u.id")
LOCKS = ("UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")


def columns(rows):
    """Arrays for unnest()."""
    return (list(rows), [row[0] for row in rows.values()], [row[1] for row in rows.values()], [row[2] for row in rows.values()])


class Rows(Actor):
    table = "rows"

    def ready(self):
        self.rows = {row_id: self.ledger.tables[self.table][row_id] for row_id in self.ledger.owned(self.table, self.lane)}

    # What each operation leaves of the rows it touches.
    def fresh(self, count):
        return {row_id: (self.random.randrange(1000), 0, self.random.randrange(1, 40)) for row_id in self.new_ids(count)}

    def some(self, most):
        ids = list(self.rows)
        return self.random.sample(ids, min(len(ids), self.random.randint(1, most)))

    def changed(self, row):
        k, v, n = row
        kind = self.random.randrange(4)
        if kind == 0:
            k = self.random.randrange(1000)             # an indexed column: no HOT
        elif kind == 1:
            n = self.random.randrange(1, 60)            # another size: often another page
        return (k, v + 1, n)

    def operation(self):
        """What changes, and the statement that does it."""
        kind = self.random.random()
        if not self.rows or (kind < 0.3 and len(self.rows) < MOST_ROWS):
            rows = self.fresh(self.random.randint(1, 20))
            return rows, INSERT.format(t=self.table), columns(rows)
        if kind < 0.75:
            rows = {row_id: self.changed(self.rows[row_id]) for row_id in self.some(12)}
            return rows, UPDATE.format(t=self.table), columns(rows)
        ids = self.some(30 if len(self.rows) < MOST_ROWS else MOST_ROWS // 2)
        return dict.fromkeys(ids), f"DELETE FROM {self.table} WHERE id = ANY(%s)", (ids,)

    def operate(self):
        rows, statement, arguments = self.operation()
        self.expect(self.session.run(statement, arguments), len(rows), f"{statement} {sorted(rows)}")
        return rows

    def adopt(self, rows):
        for row_id, row in rows.items():
            if row is None:
                self.rows.pop(row_id, None)
            else:
                self.rows[row_id] = row

    def step(self):
        kind = self.random.random()
        if kind < 0.5:
            self.small()
        elif kind < 0.85:
            self.large()
        else:
            self.lock_some()

    def small(self):
        rows, statement, arguments = self.operation()
        self.expect(self.one(unit_of(self.table, rows), statement, arguments), len(rows), f"{statement} {sorted(rows)}")
        self.adopt(rows)

    def note(self, unit, rows):
        for row_id, row in rows.items():
            unit.change(self.table, row_id, row)

    def large(self):
        """Several operations with savepoints, now and then for nothing."""
        unit, before = Unit(), dict(self.rows)
        end = "ROLLBACK" if self.chance(0.2) else "COMMIT"
        try:
            self.transaction(unit, lambda: self.with_savepoints(unit), end)
            if end == "ROLLBACK":
                self.rows = before
        except Exception:
            self.rows = before
            raise

    def with_savepoints(self, unit):
        for _ in range(self.random.randint(1, 5)):
            kept = dict(self.rows)
            savepoint = self.chance(0.6)
            if savepoint:
                self.session.run("SAVEPOINT s")
            rows = self.operate()
            if savepoint and self.chance(0.4):
                self.session.run("ROLLBACK TO s")
                self.rows = kept
                continue
            self.note(unit, rows)
            self.adopt(rows)

    def lock_some(self):
        ids = self.some(10)
        if not ids:
            return
        unit = Unit()
        strength = self.random.choice(LOCKS)
        def body():
            found = self.session.run(f"SELECT id FROM {self.table} WHERE id = ANY(%s) FOR {strength}", (ids,))
            self.expect(len(found), len(ids), f"lock of {self.table} {sorted(ids)}")
            if self.chance(0.5):
                self.note(unit, rows := self.operate())
                return rows
            return {}
        self.transaction(unit, body)
        self.adopt(unit.changes.get(self.table, {}))
