# test/crash/oracle.py: a server asked in every way there is, against the ledger.  Nobody else works meanwhile.
# SPDX-License-Identifier: PostgreSQL
from faults import Fault
from ledger import SHARED

SETTINGS = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
# way -> (settings that are on, columns that can be asked, condition, node of the plan)
WAYS = {
    "sequential scan": ({"enable_seqscan"}, "id, k, v, n", "", "Seq Scan"),
    "index scan": ({"enable_indexscan"}, "id, k, v, n", "WHERE id >= 0", "Index Scan"),
    "bitmap scan": ({"enable_bitmapscan"}, "id, k, v, n", "WHERE id >= 0", "Bitmap Heap Scan"),
    "index-only scan": ({"enable_indexonlyscan", "enable_indexscan"}, "id", "WHERE id >= 0", "Index Only Scan"),
    "index-only scan of k": ({"enable_indexonlyscan", "enable_indexscan"}, "k, id", "WHERE k >= 0", "Index Only Scan"),
}
WEIGHTS = {"id": 1, "k": 17, "v": 1000003, "n": 7919}
SHOWN = 8


def digest(columns, table, where):
    summed = " + ".join(f"{name}::bigint * {WEIGHTS[name]}" for name in columns.split(", "))
    return f"SELECT count(*), coalesce(sum(hashint8({summed})::bigint), 0) FROM {table} {where}"


def some(ids):
    ids = sorted(ids)
    return f"{len(ids)} ({', '.join(map(str, ids[:SHOWN]))}{' ...' if len(ids) > SHOWN else ''})"


class Oracle:
    def __init__(self, server, ledger):
        self.server, self.ledger = server, ledger
        self.found = []

    def ask(self, statement, arguments=None):
        self.cursor.execute(statement, arguments)
        return self.cursor.fetchall() if self.cursor.description else []

    def fetch(self, table, ids):
        if not self.ask("SELECT to_regclass(%s) IS NOT NULL", (table,))[0][0]:
            return None
        where = "" if ids is None else " WHERE id = ANY(%s)"
        return {row[0]: row[1:] for row in self.ask(f"SELECT id, k, v, n FROM {table}{where}", None if ids is None else (ids,))}

    def judge(self):
        """Settles what was in doubt, compares everything, raises all that was found."""
        connection = self.server.connect("oracle", "-c statement_timeout=180s -c max_parallel_workers_per_gather=0 -c jit=off")
        connection.autocommit = True
        try:
            self.cursor = connection.cursor()
            if not self.ask("SELECT pg_is_in_recovery()")[0][0]:
                self.settle()
            self.compare_tables()
        finally:
            connection.close()
        if self.found:
            raise Fault(f"{self.server.name} against the ledger:\n  " + "\n  ".join(self.found))

    def settle(self):
        """A standby shows no prepared transactions; nothing is in doubt once its primary was asked."""
        gids = {row[0] for row in self.ask("SELECT gid FROM pg_prepared_xacts")}
        try:
            self.ledger.settle_all(self.fetch, gids)
        except Fault as fault:
            self.found.append(str(fault))

    def compare_tables(self):
        for table in sorted(self.tables_there() - set(self.ledger.tables)):
            self.found.append(f"{table} is there and should not be")
        for table in sorted(self.ledger.tables):
            if table not in self.tables_there():
                self.found.append(f"{table} is not there")
                continue
            self.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            pages = self.compare_pages(table)
            for way in WAYS:
                if way != "sequential scan" and not (way.endswith(" k") and table.startswith("life")):
                    self.compare_way(table, way, pages)
            self.ask("COMMIT")
        orphans = self.ask("SELECT kid.id, kid.k FROM kid LEFT JOIN par ON par.id = kid.k WHERE par.id IS NULL ORDER BY 1")
        if orphans:
            self.found.append(f"foreign key violated: {len(orphans)} children without their parent: {orphans[:SHOWN]}")

    def tables_there(self):
        return {row[0] for row in self.ask("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")}

    def force(self, way):
        on = WAYS[way][0]
        self.ask("; ".join(f"SET LOCAL {name} = {'on' if name in on else 'off'}" for name in SETTINGS))

    def compare_pages(self, table):
        """The rows by sequential scan, after comparing them with the ledger."""
        self.force("sequential scan")
        rows = self.ask(f"SELECT id, k, v, n, pad IS NOT DISTINCT FROM pad(id, v, n) FROM {table}")
        actual = {row[0]: row[1:4] for row in rows}
        if len(actual) != len(rows):
            seen = set()
            twice = {row[0] for row in rows if row[0] in seen or seen.add(row[0])}
            self.found.append(f"{table}: rows that are there twice: {some(twice)}")
        if broken := [row[0] for row in rows if not row[4]]:
            self.found.append(f"{table}: content is wrong: {some(broken)}")
        expected = self.ledger.tables[table]
        if lost := expected.keys() - actual.keys():
            self.found.append(f"{table}: acknowledged rows are missing: {some(lost)}")
        if added := actual.keys() - expected.keys():
            self.found.append(f"{table}: rows that were never there, deleted or rolled back: {some(added)}")
        self.compare_values(table, expected, actual)
        return actual

    def compare_values(self, table, expected, actual):
        both = expected.keys() & actual.keys()
        if table in SHARED:
            wrong = [row_id for row_id in both if not self.may_be(table, row_id, actual[row_id][1])]
        else:
            wrong = [row_id for row_id in both if tuple(actual[row_id]) != tuple(expected[row_id])]
        if wrong:
            first = min(wrong)
            self.found.append(f"{table}: rows with other values than acknowledged: {some(wrong)}; {first} is {actual[first]}, "
                              f"should be {expected[first]} raised {self.ledger.raised.get((table, first), 0)} times")

    def may_be(self, table, row_id, v):
        least = self.ledger.raised.get((table, row_id), 0)
        return least <= v <= least + self.ledger.maybe_raised.get((table, row_id), 0)

    def compare_way(self, table, way, pages):
        """By a sum first, which the server makes; row by row if it differs from that of the pages."""
        columns, where, node = WAYS[way][1:]
        self.force("sequential scan")
        of_pages = self.ask(digest(columns, table, ""))[0]
        self.force(way)
        statement = digest(columns, table, where)
        plan = "\n".join(row[0] for row in self.ask("EXPLAIN (COSTS off) " + statement))
        if f"->  {node} " not in plan:
            raise Fault(f"the plan is not a {way}: {plan}")
        of_way = self.ask(statement)[0]
        if of_way != of_pages:
            self.found.append(f"{table} by {way}: {of_way[0]} rows, {of_pages[0]} in the pages")
            self.tell_difference(table, way, pages)

    def tell_difference(self, table, way, pages):
        columns, where, _ = WAYS[way][1:]
        names = columns.split(", ")
        rows = self.ask(f"SELECT {columns} FROM {table} {where}")
        seen = {row[names.index("id")]: row for row in rows}
        if len(seen) != len(rows):
            self.found.append(f"{table} by {way}: {len(rows) - len(seen)} rows are there twice")
        if missing := pages.keys() - seen.keys():
            self.found.append(f"{table} by {way}: not found, and in the pages: {some(missing)}")
        if extra := seen.keys() - pages.keys():
            self.found.append(f"{table} by {way}: found, and not in the pages: {some(extra)}")
        order = [("id", "k", "v", "n").index(name) for name in names]
        if differ := [row_id for row_id in seen.keys() & pages.keys()
                      if tuple((row_id, *pages[row_id])[at] for at in order) != tuple(seen[row_id])]:
            self.found.append(f"{table} by {way}: other values than in the pages: {some(differ)}")
