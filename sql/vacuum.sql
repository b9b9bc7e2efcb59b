-- VACUUM: what it removes, what it leaves, what it tells, and the options.
CREATE TABLE vac (id int PRIMARY KEY, grp int, v text) USING glassheap WITH (autovacuum_enabled = off);
CREATE INDEX vac_grp ON vac (grp);
CREATE INDEX vac_v ON vac USING hash (v);
INSERT INTO vac SELECT i, i % 10, md5(i::text) FROM generate_series(1, 10000) i;
SELECT pg_relation_size('vac') AS size \gset

-- Dead rows go, their space is used again, and every index agrees with the table.
DELETE FROM vac WHERE id % 5 = 0;
UPDATE vac SET grp = grp + 10 WHERE id % 5 = 1;
VACUUM vac;
INSERT INTO vac SELECT i, i % 10, md5(i::text) FROM generate_series(10001, 12000) i;
SELECT pg_relation_size('vac') < :size * 1.3 AS space_was_reused;
CREATE EXTENSION IF NOT EXISTS amcheck;
SELECT bt_index_check('vac_pkey', true), bt_index_check('vac_grp', true);
SET enable_seqscan = off;
SELECT count(*) FROM vac WHERE id BETWEEN 1 AND 12000;
SELECT count(*) FROM vac WHERE grp BETWEEN 0 AND 20;
SELECT count(*) FROM vac WHERE v = md5('11') OR v = md5('5');
RESET enable_seqscan;
SELECT count(*), sum(id) FROM vac;

-- Statistics of the table and of its indexes.
VACUUM vac;
SELECT reltuples, relpages = pg_relation_size('vac') / 8192 AS relpages_ok, relallvisible = relpages AS all_visible
FROM pg_class WHERE oid = 'vac'::regclass;
SELECT relname, reltuples FROM pg_class WHERE relname IN ('vac_pkey', 'vac_grp', 'vac_v') ORDER BY 1;

-- With the least memory.
SET maintenance_work_mem = '1MB';
DELETE FROM vac WHERE id % 3 = 0;
VACUUM (INDEX_CLEANUP on) vac;
RESET maintenance_work_mem;
SELECT bt_index_check('vac_pkey', true), bt_index_check('vac_grp', true);
SELECT count(*) FROM vac;

-- INDEX_CLEANUP off leaves the index entries, and the line pointers that they lead to.
DELETE FROM vac WHERE id % 2 = 0;
VACUUM (INDEX_CLEANUP off) vac;
SELECT reltuples FROM pg_class WHERE relname = 'vac_pkey';
SELECT count(*) FROM vac;
INSERT INTO vac SELECT i, i % 10, md5(i::text) FROM generate_series(20001, 22000) i;
SELECT bt_index_check('vac_pkey', true);
VACUUM (INDEX_CLEANUP on) vac;
SELECT bt_index_check('vac_pkey', true);
SELECT reltuples = (SELECT count(*) FROM vac) AS exact FROM pg_class WHERE relname = 'vac_pkey';
-- as a storage parameter
ALTER TABLE vac SET (vacuum_index_cleanup = off);
DELETE FROM vac WHERE id % 4 = 1;
VACUUM vac;
SELECT reltuples > (SELECT count(*) FROM vac) AS entries_left FROM pg_class WHERE relname = 'vac_pkey';
ALTER TABLE vac RESET (vacuum_index_cleanup);

-- PARALLEL is accepted; a temporary table says why not.
VACUUM (PARALLEL 2, INDEX_CLEANUP on) vac;
CREATE TEMP TABLE vac_temp (a int PRIMARY KEY, b int UNIQUE) USING glassheap;
INSERT INTO vac_temp SELECT i, i FROM generate_series(1, 1000) i;
DELETE FROM vac_temp WHERE a % 2 = 0;
VACUUM (PARALLEL 1) vac_temp;
SELECT bt_index_check('vac_temp_pkey', true);
SELECT count(*) FROM vac_temp;
VACUUM (PARALLEL 2000) vac;

-- An empty tail goes; TRUNCATE off keeps it.
DELETE FROM vac WHERE (ctid::text::point)[0] > 10;
VACUUM (TRUNCATE off) vac;
SELECT pg_relation_size('vac') / 8192 > 11 AS kept;
VACUUM vac;
SELECT pg_relation_size('vac') / 8192 <= 11 AS gone;
ALTER TABLE vac SET (vacuum_truncate = off);
DELETE FROM vac;
VACUUM vac;
SELECT pg_relation_size('vac') > 0 AS kept;
VACUUM (TRUNCATE on) vac;
SELECT pg_relation_size('vac') AS gone;
INSERT INTO vac VALUES (1, 1, 'again');
SELECT ctid, * FROM vac;

-- Freezing: relfrozenxid moves up to the oldest id that is left.
CREATE TABLE vac_frozen (id int, v text) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO vac_frozen SELECT i, 'x' FROM generate_series(1, 1000) i;
SELECT relfrozenxid AS old_xid FROM pg_class WHERE relname = 'vac_frozen' \gset
VACUUM (FREEZE) vac_frozen;
SELECT age(relfrozenxid) < age(:'old_xid'::xid) AS advanced FROM pg_class WHERE relname = 'vac_frozen';
SELECT count(*) AS rows, count(*) FILTER (WHERE t_infomask & 768 = 768) AS frozen
FROM generate_series(0, pg_relation_size('vac_frozen') / 8192 - 1) n, glassheap_page_items('vac_frozen', n);
-- DISABLE_PAGE_SKIPPING visits what the map calls frozen.
VACUUM (DISABLE_PAGE_SKIPPING) vac_frozen;
-- multixacts
BEGIN;
SELECT count(*) FROM (SELECT 1 FROM vac_frozen WHERE id <= 10 FOR KEY SHARE) s;
SAVEPOINT s;
UPDATE vac_frozen SET v = 'y' WHERE id <= 5;
COMMIT;
VACUUM (FREEZE) vac_frozen;
SELECT count(*) FROM vac_frozen WHERE xmax <> 0;
SELECT count(*), count(*) FILTER (WHERE v = 'y') FROM vac_frozen;

-- HOT chains shrink to redirects, and redirects to nothing.
CREATE TABLE vac_hot (id int PRIMARY KEY, v int) USING glassheap WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO vac_hot SELECT i, 0 FROM generate_series(1, 50) i;
UPDATE vac_hot SET v = 1;
UPDATE vac_hot SET v = 2;
SELECT pg_relation_size('vac_hot') / 8192 AS pages;
VACUUM vac_hot;
SET enable_seqscan = off;
SELECT sum(v) FROM vac_hot WHERE id BETWEEN 1 AND 50;
RESET enable_seqscan;
SELECT bt_index_check('vac_hot_pkey', true);
DELETE FROM vac_hot WHERE id > 25;
VACUUM (INDEX_CLEANUP on) vac_hot;
SELECT count(*), max(ctid::text) FROM vac_hot WHERE id = 1;
SELECT bt_index_check('vac_hot_pkey', true);

-- Not allowed, as ever.
BEGIN;
VACUUM vac;
ROLLBACK;

-- No rows, no columns, no pages.
CREATE TABLE vac_empty () USING glassheap;
VACUUM vac_empty;
VACUUM (FREEZE, FULL) vac_empty;
INSERT INTO vac_empty DEFAULT VALUES;
VACUUM (FREEZE, ANALYZE) vac_empty;
SELECT reltuples, relpages FROM pg_class WHERE relname = 'vac_empty';

DROP TABLE vac, vac_temp, vac_frozen, vac_hot, vac_empty;
DROP EXTENSION amcheck;
