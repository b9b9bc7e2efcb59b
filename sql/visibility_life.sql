-- The life of the visibility map's two bits, as the stock tool sees them: (all_visible, all_frozen) by page.
CREATE EXTENSION IF NOT EXISTS pg_visibility;
CREATE FUNCTION bits(r regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('(%s,%s)', all_visible::int, all_frozen::int), ' ' ORDER BY blkno)
    FROM pg_visibility_map(r) $$;

CREATE TABLE life (id int, v text) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO life SELECT i, repeat('x', 1000) FROM generate_series(1, 14) i;  -- two pages
SELECT bits('life') AS after_insert;
VACUUM life;
SELECT bits('life') AS after_vacuum;
VACUUM (FREEZE) life;
SELECT bits('life') AS after_freeze;
UPDATE life SET v = v WHERE id = 1;
SELECT bits('life') AS after_update_on_page_0;
VACUUM (FREEZE) life;
SELECT bits('life') AS after_freeze;
DELETE FROM life WHERE id = 14;
SELECT bits('life') AS after_delete_on_page_1;
VACUUM (FREEZE) life;
SELECT bits('life') AS after_freeze;
-- A row lock says nothing about visibility, but leaves an id behind.
BEGIN;
SELECT id FROM life WHERE id = 2 FOR UPDATE;
SELECT bits('life') AS after_row_lock_on_page_0;
COMMIT;
VACUUM (FREEZE) life;
SELECT bits('life') AS after_freeze;
-- An aborted change changes the page nevertheless.
BEGIN;
UPDATE life SET v = v WHERE id = 2;
ROLLBACK;
SELECT bits('life') AS after_aborted_update;
VACUUM (FREEZE) life;
-- Every kind of insertion.
INSERT INTO life VALUES (15, 'into the space that vacuum found');
SELECT bits('life') LIKE '%(0,0)%' AS insert_clears;
VACUUM (FREEZE) life;
INSERT INTO life SELECT 16, 'x' ON CONFLICT DO NOTHING;
SELECT bits('life') LIKE '%(0,0)%' AS on_conflict_clears;
VACUUM (FREEZE) life;
COPY life FROM stdin;
17	y
18	z
\.
SELECT bits('life') LIKE '%(0,0)%' AS copy_clears;
VACUUM (FREEZE) life;
TRUNCATE life;
SELECT bits('life') AS after_truncate;

-- COPY FREEZE sets both bits as it goes.
BEGIN;
CREATE TABLE life_copy (id int, v text) USING glassheap;
COPY life_copy FROM stdin (FREEZE);
1	one
2	two
\.
COMMIT;
SELECT bits('life_copy') AS after_copy_freeze;

-- A dead line pointer that an index may still lead to keeps its page from being all-visible.
CREATE TABLE life_index (id int PRIMARY KEY, v text) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO life_index SELECT i, repeat('x', 1000) FROM generate_series(1, 14) i;
VACUUM life_index;
DELETE FROM life_index WHERE id = 3;
VACUUM (INDEX_CLEANUP off) life_index;
SELECT bits('life_index') AS dead_item_on_page_0;
VACUUM (INDEX_CLEANUP on) life_index;
SELECT bits('life_index') AS second_pass_set_it;
-- Index-only scans trust the map.
VACUUM (FREEZE, ANALYZE) life_index;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT count(id) FROM life_index WHERE id > 0;
UPDATE life_index SET v = 'changed' WHERE id = 1;
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT count(id) FROM life_index WHERE id > 0;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- Temporary and unlogged tables have maps, too.
CREATE TEMP TABLE life_temp (id int, v text) USING glassheap;
INSERT INTO life_temp SELECT i, repeat('x', 1000) FROM generate_series(1, 14) i;
VACUUM (FREEZE) life_temp;
SELECT bits('life_temp') AS temporary;
UPDATE life_temp SET v = 'y' WHERE id = 1;
SELECT bits('life_temp') AS temporary_updated;
CREATE UNLOGGED TABLE life_unlogged (id int, v text) USING glassheap;
INSERT INTO life_unlogged SELECT i, repeat('x', 1000) FROM generate_series(1, 14) i;
VACUUM (FREEZE) life_unlogged;
SELECT bits('life_unlogged') AS unlogged;
DELETE FROM life_unlogged WHERE id = 14;
SELECT bits('life_unlogged') AS unlogged_deleted;

DROP TABLE life, life_copy, life_index, life_temp, life_unlogged;
DROP FUNCTION bits(regclass);
DROP EXTENSION pg_visibility;
