# test/crash/prepared.py: transactions that are prepared, and must outlive a crash, until somebody ends them.
# SPDX-License-Identifier: PostgreSQL
from ledger import Unit
from rows import Rows


class Preparer(Rows):
    """Its rows belong to the transactions that are prepared; each has new rows, or rows that no other one has."""

    most = 4

    def ready(self):
        gids = {row[0] for row in self.session.run("SELECT gid FROM pg_prepared_xacts")}
        for gid, unit in list(self.ledger.prepared.items()):
            self.ledger.settle_prepared(gid, unit, gid in gids, self.fetch)
        super().ready()
        for unit in self.ledger.prepared.values():
            for row_id in unit.changes.get(self.table, {}):
                self.rows.pop(row_id, None)

    def step(self):
        mine = [gid for gid in self.ledger.prepared if gid.startswith(self.name)]
        if mine and (len(mine) >= self.most or self.chance(0.4)):
            self.end(self.random.choice(mine))
        else:
            self.prepare()

    def prepare(self):
        unit = Unit()
        gid = f"{self.name}_{self.new_ids(1)[0]}"
        self.session.run("BEGIN")
        for _ in range(self.random.randint(1, 3)):
            rows = self.operate()
            self.note(unit, rows)
            for row_id in rows:
                self.rows.pop(row_id, None)     # until it has ended
        unit.finish = "prepare"
        self.ledger.prepared[gid] = unit
        self.session.run("PREPARE TRANSACTION %s", (gid,))
        unit.finish = None
        self.ledger.commits += 1

    def end(self, gid):
        unit = self.ledger.prepared[gid]
        unit.finish = "commit" if self.chance(0.7) else "rollback"
        self.session.run("COMMIT PREPARED %s" if unit.finish == "commit" else "ROLLBACK PREPARED %s", (gid,))
        with self.ledger.lock:
            if unit.finish == "commit":
                self.ledger.apply(unit)
            del self.ledger.prepared[gid]
            self.ledger.commits += 1
        for row_id in unit.changes.get(self.table, {}):
            if row_id in self.ledger.tables[self.table]:
                self.rows[row_id] = self.ledger.tables[self.table][row_id]
