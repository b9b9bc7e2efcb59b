# test/crash/ledger.py: what the server has acknowledged, kept where no server can lose it.
#
# Every row belongs to one actor (id // LANE is its lane), so that its content is known without asking: (k, v, n), and a pad
# that follows from id, v and n.  Parents are the exception: all sessions update them, so that of their v only a range is
# known.  A unit is what one transaction does.  While its COMMIT is under way it is in doubt; after a crash it must be there
# whole or not at all, which settle() finds out.
# SPDX-License-Identifier: PostgreSQL
import threading

from faults import Fault

LANE = 10**9
SHARED = {"par"}      # tables whose rows all sessions change


class Unit:
    def __init__(self):
        self.changes = {}       # table -> id -> row, or None: deleted
        self.contents = {}      # table -> all its rows, or None: dropped
        self.adds = {}          # (table, id) -> how often v was raised
        self.finish = None      # of a prepared transaction under way: 'prepare', 'commit', 'rollback'

    def change(self, table, row_id, row):
        self.changes.setdefault(table, {})[row_id] = row

    def merge(self, other):
        for table, rows in other.changes.items():
            self.changes.setdefault(table, {}).update(rows)


class Ledger:
    def __init__(self, tables):
        self.lock = threading.Lock()
        self.tables = {name: {} for name in tables}
        self.by_lane = {}       # (table, lane) -> its ids
        for table, rows in tables.items():
            for row_id, row in rows.items():
                self.put(table, row_id, row)
        self.doubts = {}        # actor -> unit
        self.prepared = {}      # gid -> unit
        self.raised = {}        # (table, id) -> acknowledged raises of v
        self.maybe_raised = {}  # ... and those in doubt
        self.next_ids = {}      # lane -> its next new id
        self.commits = 0

    # ---- by actors
    def owned(self, table, lane):
        return list(self.by_lane.get((table, lane), ()))

    def put(self, table, row_id, row):
        ids = self.by_lane.setdefault((table, row_id // LANE), {})
        if row is None:
            self.tables[table].pop(row_id, None)
            ids.pop(row_id, None)
        else:
            self.tables[table][row_id] = row
            ids[row_id] = True

    def in_doubt(self, actor, unit):
        with self.lock:
            self.doubts[actor] = unit

    def acknowledged(self, actor, unit):
        with self.lock:
            self.doubts.pop(actor, None)
            self.commits += 1
            self.apply(unit)

    def refused(self, actor):
        with self.lock:
            self.doubts.pop(actor, None)

    # The lock is held, or nobody else is there.
    def apply(self, unit):
        for table, rows in unit.contents.items():
            if rows is None:
                self.tables.pop(table, None)
            else:
                self.tables[table] = dict(rows)
        for table, rows in unit.changes.items():
            for row_id, row in rows.items():
                self.put(table, row_id, row)
        for key, count in unit.adds.items():
            self.raised[key] = self.raised.get(key, 0) + count

    # ---- after a lost connection
    def settle(self, actor, fetch):
        """Whether the actor's unit in doubt happened; fetch(table, ids or None) -> rows, None without the table."""
        unit = self.doubts.get(actor)
        if unit is None:
            return
        happened = self.happened(unit, fetch)
        with self.lock:
            del self.doubts[actor]
            if happened:
                self.apply(unit)
            for key, count in (unit.adds if happened is None else {}).items():
                self.maybe_raised[key] = self.maybe_raised.get(key, 0) + count

    def happened(self, unit, fetch):
        """True, False; None when it cannot be told, which nobody minds."""
        seen = set()
        for table, rows in unit.contents.items():
            before, actual = self.tables.get(table), fetch(table, None)
            seen.add(self.side(table, before, rows, actual))
        for table, rows in unit.changes.items():
            actual = fetch(table, list(rows)) or {}
            known = self.tables.get(table, {})
            for row_id, row in rows.items():
                rows_seen = known.get(row_id), row, actual.get(row_id)
                if table in SHARED:
                    rows_seen = (None if seen_row is None else "there" for seen_row in rows_seen)
                seen.add(self.side(f"{table} {row_id}", *rows_seen))
        seen.discard(None)
        if len(seen) > 1:
            raise Fault(f"half of a transaction is there: {self.describe(unit)}")
        return seen.pop() if seen else None

    @staticmethod
    def side(what, before, after, actual):
        if before == after:
            return None
        if actual == after:
            return True
        if actual == before:
            return False
        show = (lambda rows: f"{len(rows)} rows" if isinstance(rows, dict) and len(rows) > 3 else rows)
        raise Fault(f"{what} is neither as before nor as after the transaction under way: {show(actual)}, before {show(before)}, "
                    f"after {show(after)}")

    @staticmethod
    def describe(unit):
        words = [f"{table}: ids {min(rows)} to {max(rows)}, {len(rows)} rows" for table, rows in unit.changes.items()]
        words += [f"{table}: new content" for table in unit.contents]
        return "; ".join(words)

    def settle_all(self, fetch, gids):
        for gid, unit in list(self.prepared.items()):
            self.settle_prepared(gid, unit, gid in gids, fetch)
        strangers = set(gids) - set(self.prepared)
        if strangers:
            raise Fault(f"prepared transactions that nobody has prepared, or that had ended: {sorted(strangers)}")
        for actor in list(self.doubts):
            self.settle(actor, fetch)

    def settle_prepared(self, gid, unit, is_there, fetch):
        if is_there:
            unit.finish = None
            return
        if unit.finish is None:
            raise Fault(f"prepared transaction {gid} is lost")
        del self.prepared[gid]
        if unit.finish == "commit":
            self.apply(unit)
        elif self.happened(unit, fetch):
            raise Fault(f"prepared transaction {gid} was rolled back, or never prepared, and is there")
