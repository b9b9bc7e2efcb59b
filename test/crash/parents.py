# test/crash/parents.py: a foreign key under attack.  Parents that many sessions update, with values that go to TOAST, while
# others hang children on them and delete them: what comes between an update's first look at a row and its mark counts.
# SPDX-License-Identifier: PostgreSQL
from actors import Actor, unit_of
from ledger import LANE, Unit

HOT = 6                         # parents of a keeper at a time
RAISE = ("UPDATE par SET v = v + 1, n = %s, pad = pad(id, v + 1, %s) WHERE id = %s")


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
    def step(self):
        parents = newest_parents(self.ledger)
        if not parents:
            return
        row_id = self.random.choice(parents)
        n = self.random.choice((1, 20, 100, 300, 600))
        unit = Unit()
        def body():
            if self.session.run(RAISE, (n, n, row_id)) == 1:
                unit.adds["par", row_id] = 1
        self.transaction(unit, body, "ROLLBACK" if self.chance(0.1) else "COMMIT")


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
        unit = Unit()
        self.transaction(unit, lambda: self.bear(unit, parents), "ROLLBACK" if self.chance(0.1) else "COMMIT")
        self.count += len(unit.changes.get("kid", {}))

    def bear(self, unit, parents):
        for row_id in self.new_ids(self.random.randint(1, 3)):
            parent = self.random.choice(parents)
            row = (parent, 0, 1)
            self.session.run("INSERT INTO kid VALUES (%s, %s, %s, %s, pad(%s, %s, %s))", (row_id, *row, row_id, *row[1:]))
            unit.change("kid", row_id, row)
        for _ in range(self.random.randrange(4)):
            self.session.run("SELECT count(*) FROM kid WHERE k = %s", (parents[0],))


class Locker(Actor):
    def step(self):
        parents = newest_parents(self.ledger)
        strength = self.random.choice(("KEY SHARE", "SHARE", "NO KEY UPDATE", "KEY SHARE"))
        self.session.run("BEGIN")
        self.session.run(f"SELECT id FROM par WHERE id = ANY(%s) ORDER BY id FOR {strength}", (parents,))
        self.session.run("COMMIT" if self.chance(0.7) else "ROLLBACK")
