# test/crash/parents.py: a foreign key under attack.  Parents that many sessions update, with values that go to TOAST, while
# others hang children on them and delete them: what comes between an update's first look at a row and its mark counts.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor, unit_of
from ledger import LANE, Unit
from session import Lost, Refused

HOT = 6                         # parents of a keeper at a time


class Keeper(Actor):
    """Makes parents and deletes those of its own that have no children."""

    def step(self):
        mine = self.ledger.owned("par", self.lane)
        if len(mine) < HOT or (len(mine) < 40 * HOT and self.chance(0.4)):
            row_id = self.new_ids(1)[0]
            row = (0, 0, self.random.randrange(1, 400))
            self.one(unit_of("par", {row_id: row}), "INSERT INTO par VALUES (%s, %s, %s, %s, pad(%s, %s, %s))",
                     (row_id, *row, row_id, *row[1:]))
            return
        row_id = max(mine) if self.chance(0.7) else self.random.choice(mine)
        self.expect(self.one(unit_of("par", {row_id: None}), "DELETE FROM par WHERE id = %s", (row_id,)), 1, f"delete of parent {row_id}")


def newest_parents(ledger):
    """The newest of each keeper: where deleters, updaters and children meet."""
    newest = {}
    for row_id in list(ledger.tables["par"]):
        newest.setdefault(row_id // LANE, []).append(row_id)
    return [row_id for ids in newest.values() for row_id in sorted(ids)[-2:]]


class Updater(Actor):
    """Several transactions in one call, so that the server is busy and not its client."""

    def step(self):
        parents = newest_parents(self.ledger)
        if not parents:
            return
        row_id, times = self.random.choice(parents), self.random.choice((1, 5, 20))
        n = self.random.choice((1, 100, 300, 600, 2000))
        try:
            raised = self.session.run("CALL raise(%s, %s, %s, 0)", (row_id, n, times))[0][0]
        except (Refused, Lost):
            with self.ledger.lock:
                self.ledger.maybe_raised["par", row_id] = self.ledger.maybe_raised.get(("par", row_id), 0) + times
            raise
        unit = Unit()
        unit.adds["par", row_id] = raised
        self.ledger.acknowledged(self.name, unit)


class Child(Actor):
    """Takes KEY SHARE of a parent, by the foreign key, and keeps it for some statements."""

    def ready(self):
        self.count = len(self.ledger.owned("kid", self.lane))

    def step(self):
        if self.count > 400:
            ids = self.ledger.owned("kid", self.lane)[:200]
            self.expect(self.one(unit_of("kid", dict.fromkeys(ids)), "DELETE FROM kid WHERE id = ANY(%s)", (ids,)), len(ids), "delete of kids")
            self.count -= len(ids)
        parents = newest_parents(self.ledger)
        if not parents:
            return
        rows = {row_id: (self.random.choice(parents), 0, 1) for row_id in self.new_ids(self.random.randint(1, 3))}
        self.bear(rows, parents[0], "ROLLBACK" if self.chance(0.1) else "COMMIT")

    def bear(self, rows, parent, end):
        """The whole transaction at once; it lasts until a parent's update and delete have come by, perhaps."""
        statements = [f"INSERT INTO kid VALUES ({row_id}, {row[0]}, 0, 1, pad({row_id}, 0, 1))" for row_id, row in rows.items()]
        statements += [f"SELECT count(*) FROM kid WHERE k = {parent}"] * self.random.choice((0, 1, 3, 10, 30))
        unit = unit_of("kid", rows) if end == "COMMIT" else Unit()
        self.one(unit, "; ".join(["BEGIN", *statements, end]))
        self.count += len(unit.changes.get("kid", {}))


class Locker(Actor):
    def step(self):
        parents = newest_parents(self.ledger)
        strength = self.random.choice(("KEY SHARE", "SHARE", "NO KEY UPDATE", "KEY SHARE"))
        self.session.run("BEGIN")
        self.session.run(f"SELECT id FROM par WHERE id = ANY(%s) ORDER BY id FOR {strength}", (parents,))
        self.session.run("COMMIT" if self.chance(0.7) else "ROLLBACK")
