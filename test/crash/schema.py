# test/crash/schema.py: the tables of the loop, and what is in them at first.
#
# All have the same columns: an id, an indexed k, the row's version v, and a pad of n times 32 bytes that follows from id
# and v, so that a row's content can be judged without having been kept.
# SPDX-License-Identifier: PostgreSQL
from ledger import LANE, Ledger

COLUMNS = "(id bigint PRIMARY KEY, k bigint, v int, n int, pad text)"

STATEMENTS = f"""
CREATE EXTENSION glassheap;
CREATE EXTENSION amcheck;
CREATE FUNCTION pad(id bigint, v int, n int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT repeat(md5(id::text || ':' || v::text), n) $$;
CREATE PROCEDURE raise(parent bigint, new_n int, times int, INOUT raised int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP
    UPDATE par SET v = v + 1, n = new_n, pad = pad(id, v + 1, new_n) WHERE id = parent;
    IF FOUND THEN raised := raised + 1;  END IF;
    COMMIT;
  END LOOP;
END $$;
CREATE TABLE rows {COLUMNS} USING glassheap WITH (fillfactor = 85);
CREATE TABLE big {COLUMNS} USING glassheap;
CREATE TABLE cold {COLUMNS} USING glassheap;
CREATE TABLE par {COLUMNS} USING glassheap;
ALTER TABLE par ALTER pad SET STORAGE EXTERNAL;
CREATE TABLE kid {COLUMNS} USING glassheap;
ALTER TABLE kid ADD FOREIGN KEY (k) REFERENCES par;
"""
INDEXES = "".join(f"CREATE INDEX {table}_k ON {table} (k, id);\n" for table in ("rows", "big", "cold", "par", "kid"))

# table -> (first id, rows, n): big has more than 1024 blocks, cold is what pushes others out of the pool
LANES_OF_ROWS = range(0, 4)
COLD_LANE, BASE_LANE = 61, 20
FIRST = {
    "big": [(BASE_LANE * LANE + 1, 8800, 30)],
    "cold": [(COLD_LANE * LANE + 1, 10000, 28)],
    "rows": [(lane * LANE + 1, 400, 6) for lane in LANES_OF_ROWS],
}


def create(server):
    server.ask(STATEMENTS)
    for table, parts in FIRST.items():
        for first, count, n in parts:
            server.ask(f"INSERT INTO {table} SELECT g, mod(g, 1000), 0, {n}, pad(g, 0, {n}) FROM generate_series({first}, {first + count - 1}) g")
    for statement in INDEXES.splitlines():
        server.ask(statement)
    server.ask("VACUUM ANALYZE")


def new_ledger():
    tables = {table: {} for table in ("rows", "big", "cold", "par", "kid")}
    for table, parts in FIRST.items():
        for first, count, n in parts:
            tables[table].update({row_id: (row_id % 1000, 0, n) for row_id in range(first, first + count)})
    return Ledger(tables)
