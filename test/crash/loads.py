# test/crash/loads.py: many rows at once and single rows into one table of more than 1024 blocks, where a load adds many
# pages and a single insert takes the last one.
# SPDX-License-Identifier: PostgreSQL
import hashlib
import io

from actors import Actor, unit_of
from session import Session

TABLE = "big"
MOST_SINGLE = 1500
ONE_ROW = "INSERT INTO big VALUES (%s, %s, %s, %s, pad(%s, %s, %s))"


def pad_of(row_id, row):
    return hashlib.md5(f"{row_id}:{row[1]}".encode()).hexdigest() * row[2]


class Single(Actor):
    """A new connection for each row: no page is remembered, so the last one of the table is tried."""

    def ready(self):
        self.count = len(self.ledger.owned(TABLE, self.lane))

    def step(self):
        if self.count > MOST_SINGLE:
            self.thin_out()
        self.session.close()
        self.session = Session(self.server, self, self.options)
        row_id = self.new_ids(1)[0]
        row = (self.random.randrange(1000), 0, self.random.randrange(36, 60))    # fits on no page that a load has filled
        self.expect(self.one(unit_of(TABLE, {row_id: row}), ONE_ROW, (row_id, *row, row_id, *row[1:])), 1, "insert")
        self.count += 1

    def thin_out(self):
        ids = sorted(self.ledger.owned(TABLE, self.lane))[: MOST_SINGLE // 2]
        self.expect(self.one(unit_of(TABLE, dict.fromkeys(ids)), "DELETE FROM big WHERE id = ANY(%s)", (ids,)), len(ids),
                    f"delete from big, {len(ids)} single rows from {ids[0]} to {ids[-1]}")
        self.count -= len(ids)


class Loader(Actor):
    most = 9000
    sizes = (100, 400, 1000, 2500)
    pads = (28, 33)

    def step(self):
        loaded = len(self.ledger.owned(TABLE, self.lane))
        kind = self.random.random()
        if loaded > self.most or (loaded and kind < 0.15):
            self.unload()
        elif loaded and kind < 0.25:
            self.update_range()
        elif kind < 0.8:
            self.copy()
        else:
            self.insert_select()

    def rows(self):
        ids = self.new_ids(self.random.choice(self.sizes))
        n = self.random.randrange(*self.pads)
        return {row_id: (row_id % 1000, 0, n) for row_id in ids}

    def copy(self):
        rows = self.rows()
        text = "".join(f"{row_id}\t{row[0]}\t{row[1]}\t{row[2]}\t{pad_of(row_id, row)}\n" for row_id, row in rows.items())
        self.one(unit_of(TABLE, rows), "COPY big FROM STDIN", copy=io.StringIO(text))

    def insert_select(self):
        rows = self.rows()
        first, n = min(rows), next(iter(rows.values()))[2]
        self.expect(self.one(unit_of(TABLE, rows), "INSERT INTO big SELECT g, mod(g, 1000), 0, %s, pad(g, 0, %s) FROM generate_series(%s, %s) g",
                             (n, n, first, max(rows))), len(rows), "insert select")

    def part(self):
        """Some rows that lie together; the newest more often, so that the end of the table gets empty."""
        ids = sorted(self.ledger.owned(TABLE, self.lane))
        count = min(len(ids), self.random.choice((200, 1000, 3000)))
        first = len(ids) - count if self.chance(0.6) else self.random.randrange(len(ids) - count + 1)
        return ids[first : first + count]

    def unload(self):
        ids = self.part()
        self.expect(self.one(unit_of(TABLE, dict.fromkeys(ids)), "DELETE FROM big WHERE id BETWEEN %s AND %s", (ids[0], ids[-1])),
                    len(ids), f"delete from big {ids[0]} to {ids[-1]}")

    def update_range(self):
        ids = self.part()[:300]
        known = self.ledger.tables[TABLE]
        rows = {row_id: (known[row_id][0], known[row_id][1] + 1, known[row_id][2]) for row_id in ids}
        self.expect(self.one(unit_of(TABLE, rows), "UPDATE big SET v = v + 1, pad = pad(id, v + 1, n) WHERE id BETWEEN %s AND %s",
                             (ids[0], ids[-1])), len(ids), f"update of big {ids[0]} to {ids[-1]}")


class SmallLoader(Loader):
    """Small rows, many on a page: each of them gets its hint bits at a moment of its own."""

    most = 30000
    sizes = (2000, 8000)
    pads = (1, 4)
