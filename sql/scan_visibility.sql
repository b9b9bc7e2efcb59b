-- Page-level knowledge of visibility: the same question again and again, with changes in between.
CREATE TABLE p (id int, v int) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO p SELECT g, 0 FROM generate_series(1, 1000) g;
SELECT count(*), sum(v) FROM p;
SELECT count(*), sum(v) FROM p;

-- our own rows, by command and subtransaction
BEGIN;
SELECT count(*) FROM p;
INSERT INTO p SELECT g, 1 FROM generate_series(1001, 1100) g;
SELECT count(*), sum(v) FROM p;
SAVEPOINT a;
INSERT INTO p SELECT g, 2 FROM generate_series(1101, 1200) g;
SELECT count(*), sum(v) FROM p;
ROLLBACK TO a;
SELECT count(*), sum(v) FROM p;
UPDATE p SET v = v + 1 WHERE id <= 10;
SELECT count(*), sum(v) FROM p;
WITH ins AS (INSERT INTO p VALUES (5000, 7) RETURNING id) SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM ins);
COMMIT;
SELECT count(*), sum(v) FROM p;

-- aborted inserts, deletes and locks on pages that were known
BEGIN;
DELETE FROM p WHERE id <= 500;
SELECT count(*), sum(v) FROM p;
ROLLBACK;
SELECT count(*), sum(v) FROM p;
BEGIN;
SELECT count(*) FROM (SELECT * FROM p WHERE id < 50 FOR UPDATE) locked;
COMMIT;
SELECT count(*), sum(v) FROM p;
BEGIN;
INSERT INTO p SELECT g, 9 FROM generate_series(6000, 6100) g;
ROLLBACK;
SELECT count(*), sum(v) FROM p;

-- frozen, all-visible, and changed again
VACUUM (FREEZE) p;
SELECT count(*), sum(v) FROM p;
DELETE FROM p WHERE id = 1;
SELECT count(*), sum(v) FROM p;
UPDATE p SET v = v + 1 WHERE id = 2;
SELECT count(*), sum(v) FROM p;

-- COPY FREEZE
BEGIN;
CREATE TABLE frozen (id int) USING glassheap;
COPY frozen FROM STDIN WITH (FREEZE);
1
2
3
\.
SELECT count(*) FROM frozen;
COMMIT;
SELECT count(*) FROM frozen;

-- a snapshot older than the rows
CREATE TABLE late (id int) USING glassheap;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM p;
INSERT INTO late SELECT generate_series(1, 10);
SELECT count(*) FROM late;
COMMIT;
SELECT count(*) FROM late;
DROP TABLE p, frozen, late;
