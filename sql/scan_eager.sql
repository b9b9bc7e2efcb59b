-- Columns that a sequential scan takes from each row before they are asked for (scan.E1, scan.E2) are those that core's
-- deforming gives: heap has the same rows, and each query must find no difference.
SET max_parallel_workers_per_gather = 0;
CREATE TABLE eager (
    i4 int, i8 bigint, i2 smallint, yes bool, c "char", f8 float8, f4 float4, u uuid, n name, o oid, d date, i4b int,
    t text, i4c int) USING glassheap;
INSERT INTO eager
    SELECT g, g::bigint << 32, (g % 30000 - 15000)::smallint, g % 3 = 0, chr(65 + g % 26)::"char", g / 7.0, g / 3.0,
           md5(g::text)::uuid, 'name ' || g, g, date '2000-01-01' + g, -g, repeat('t', g % 50), g * 2
    FROM generate_series(1, 2000) g;
-- NULLs in some rows, on some pages in the first, which is the one that decides.
INSERT INTO eager (i4, i8, t) SELECT g, nullif(g % 3, 0), 'short' FROM generate_series(1, 500) g;
INSERT INTO eager (i8, i4b) SELECT g, g FROM generate_series(1, 500) g;
INSERT INTO eager SELECT * FROM eager WHERE i4 % 10 = 0;
CREATE TABLE like_heap USING heap AS SELECT * FROM eager;

-- The same query on both; rows are told apart by all of what it gives.
CREATE FUNCTION differing(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM ((%1$s EXCEPT ALL %2$s) UNION ALL (%2$s EXCEPT ALL %1$s)) x',
                   replace(query, 'TABLE', 'eager'), replace(query, 'TABLE', 'like_heap')) INTO found;
    RETURN found;
END $$;

CREATE FUNCTION differences() RETURNS TABLE (query text, rows bigint) LANGUAGE sql AS $$
    SELECT q, differing(q) FROM unnest(ARRAY[
        'SELECT i4 FROM TABLE',
        'SELECT i8, i4 FROM TABLE',
        'SELECT sum(i4)::text || sum(i8) || sum(i2) FROM TABLE',
        'SELECT i2, yes, c, f8, f4 FROM TABLE',
        'SELECT u, n, o, d FROM TABLE',
        'SELECT i4b FROM TABLE',
        'SELECT t, i4c FROM TABLE',
        'SELECT * FROM TABLE',
        'SELECT i4c, t, i4b FROM TABLE WHERE i4 % 7 = 0',
        'SELECT CASE WHEN i4 % 100 = 0 THEN i4b WHEN i4 % 50 = 0 THEN i4c ELSE i2 END FROM TABLE',
        'SELECT count(i8), count(i4b), count(*) FROM TABLE WHERE yes',
        'SELECT x.i4, y.i4b FROM TABLE x JOIN TABLE y ON x.i8 = y.i8 AND y.i4 > 1900']) q
$$;
SELECT * FROM differences();
SELECT sum(rows) FROM differences();

-- Rows that have fewer columns than the table, and columns that were dropped.
ALTER TABLE eager ADD COLUMN late int DEFAULT 7, ADD COLUMN later int;
ALTER TABLE like_heap ADD COLUMN late int DEFAULT 7, ADD COLUMN later int;
INSERT INTO eager (i4, late, later) SELECT g, g, g FROM generate_series(1, 300) g;
INSERT INTO like_heap (i4, late, later) SELECT g, g, g FROM generate_series(1, 300) g;
SELECT differing('SELECT i4, late, later FROM TABLE');
ALTER TABLE eager DROP COLUMN i8;
ALTER TABLE like_heap DROP COLUMN i8;
SELECT differing('SELECT i4, i2, yes, late FROM TABLE'), differing('SELECT i4b FROM TABLE'), differing('SELECT * FROM TABLE');
CREATE TABLE few (a int, b int) USING glassheap;
INSERT INTO few SELECT g, g FROM generate_series(1, 1000) g;
ALTER TABLE few ADD COLUMN c int DEFAULT 5;
INSERT INTO few SELECT g, g, 6 FROM generate_series(1, 1000) g;
SELECT sum(a), sum(b), sum(c) FROM few;
-- Again: now the place of c is known.
SELECT sum(a), sum(b), sum(c) FROM few;
SELECT sum(a), sum(b), sum(c) FROM few WHERE c > 0;
SELECT sum(c) FILTER (WHERE a % 2 = 0), count(*) FILTER (WHERE c = 5 AND b > 500) FROM few;

-- A scan slot that goes straight into another table, and to and fro.
CREATE TABLE copy_of_few (LIKE few) USING glassheap;
INSERT INTO copy_of_few SELECT * FROM few;
INSERT INTO copy_of_few SELECT * FROM few WHERE b > 0;
SELECT count(*), sum(a), sum(b), sum(c), count(DISTINCT (a, b, c)) FROM copy_of_few;
BEGIN;
DECLARE walk SCROLL CURSOR FOR SELECT a, c, ctid FROM few WHERE b > 0;
MOVE FORWARD 3 FROM walk;
FETCH FORWARD 2 FROM walk;
FETCH BACKWARD 4 FROM walk;
MOVE FORWARD 600 FROM walk;
FETCH RELATIVE 0 FROM walk;
FETCH BACKWARD 2 FROM walk;
FETCH FORWARD 2 FROM walk;
COMMIT;
DROP TABLE eager, like_heap, few, copy_of_few;
DROP FUNCTION differences, differing;
