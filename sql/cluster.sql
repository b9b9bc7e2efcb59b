-- CLUSTER and VACUUM FULL: order, TOAST, dropped columns, update chains, rows of running transactions.
CREATE TABLE c (id int PRIMARY KEY, ord int, gone int, big text) USING glassheap WITH (autovacuum_enabled = off);
ALTER TABLE c ALTER big SET STORAGE EXTERNAL;
INSERT INTO c SELECT g, (g * 7919) % 500, g, CASE WHEN g % 50 = 0 THEN repeat('t', 5000) ELSE 's' || g END
  FROM generate_series(1, 500) g;
CREATE INDEX c_ord ON c (ord);
ALTER TABLE c DROP COLUMN gone;
UPDATE c SET big = big || '+' WHERE id % 3 = 0;
DELETE FROM c WHERE id % 10 = 1;
SELECT count(*), sum(ord), sum(length(big)) FROM c;

CLUSTER c USING c_ord;
SELECT count(*), sum(ord), sum(length(big)) FROM c;
SELECT ord, id FROM c LIMIT 5;
SELECT bool_and(ord >= before) FROM (SELECT ord, lag(ord) OVER (ORDER BY ctid) AS before FROM c) o;
SELECT relhassubclass, indisclustered FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE relname = 'c_ord';

-- once more, by sort
SET enable_indexscan = off;
CLUSTER c;
RESET enable_indexscan;
SELECT count(*), sum(ord), sum(length(big)) FROM c;

DELETE FROM c WHERE id > 250;
VACUUM FULL c;
SELECT count(*), sum(ord), sum(length(big)) FROM c;
SET enable_seqscan = off;
SELECT id, ord, length(big) FROM c WHERE id IN (50, 51, 150);
RESET enable_seqscan;

-- rows of our own transaction, updated before and after
BEGIN;
UPDATE c SET ord = ord + 1000 WHERE id = 2;
UPDATE c SET ord = ord + 1000 WHERE id = 2;
DELETE FROM c WHERE id = 3;
INSERT INTO c VALUES (1000, -1, 'new');
CLUSTER c USING c_ord;
SELECT id, ord FROM c WHERE id IN (2, 3, 1000) ORDER BY id;
UPDATE c SET ord = 5 WHERE id = 2;
SELECT id, ord FROM c WHERE id IN (2, 3, 1000) ORDER BY id;
ROLLBACK;
SELECT id, ord FROM c WHERE id IN (2, 3, 1000) ORDER BY id;

-- other rewrites
ALTER TABLE c ALTER ord TYPE bigint;
SELECT count(*), sum(ord), sum(length(big)) FROM c;
ALTER TABLE c ADD COLUMN extra int DEFAULT (random() * 0)::int;
SELECT count(*), sum(extra) FROM c;
CREATE MATERIALIZED VIEW mv USING glassheap AS SELECT id, ord FROM c WHERE id < 20;
SELECT count(*) FROM mv;
DELETE FROM c WHERE id < 10;
REFRESH MATERIALIZED VIEW mv;
SELECT count(*) FROM mv;
CREATE UNIQUE INDEX ON mv (id);
DELETE FROM c WHERE id < 15;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
SELECT count(*) FROM mv;

-- temporary and unlogged tables
CREATE TEMP TABLE tc (id int PRIMARY KEY, v text) USING glassheap;
INSERT INTO tc SELECT g, 'v' || g FROM generate_series(1000, 1, -1) g;
CLUSTER tc USING tc_pkey;
SELECT id FROM tc LIMIT 3;
VACUUM FULL tc;
SELECT count(*) FROM tc;
CREATE UNLOGGED TABLE uc (id int PRIMARY KEY) USING glassheap;
INSERT INTO uc SELECT generate_series(100, 1, -1);
CLUSTER uc USING uc_pkey;
SELECT id FROM uc LIMIT 3;
ALTER TABLE uc SET LOGGED;
SELECT count(*) FROM uc;
DROP MATERIALIZED VIEW mv;
DROP TABLE c, tc, uc;
