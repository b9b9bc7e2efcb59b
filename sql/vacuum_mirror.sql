-- The same work on heap and on glassheap leaves the same pages, byte for byte but for ids and LSNs.
CREATE EXTENSION IF NOT EXISTS pageinspect;
CREATE EXTENSION IF NOT EXISTS pg_visibility;
CREATE TABLE mir_g (id int PRIMARY KEY, grp int, v text) USING glassheap WITH (fillfactor = 70, autovacuum_enabled = off);
CREATE TABLE mir_h (id int PRIMARY KEY, grp int, v text) USING heap WITH (fillfactor = 70, autovacuum_enabled = off);
CREATE PROCEDURE on_both(statement text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(statement, 'mir_g');
    EXECUTE format(statement, 'mir_h');
END $$;
-- Line pointers, header bits and data of every tuple; xids only as "is there one", since each table has its own.
CREATE FUNCTION page_differences() RETURNS TABLE (blkno bigint, lp int, g text, h text) LANGUAGE sql AS $$
    WITH pages AS (SELECT generate_series(0, greatest(pg_relation_size('mir_g'), pg_relation_size('mir_h')) / 8192 - 1) n),
    g AS (SELECT n, i.lp, row(lp_off, lp_flags, lp_len, t_xmax = '0', t_ctid, t_infomask2, t_infomask, t_hoff, t_bits,
                              t_data)::text AS item
          FROM pages, heap_page_items(glassheap_get_raw_page('mir_g', n)) i),
    h AS (SELECT n, i.lp, row(lp_off, lp_flags, lp_len, t_xmax = '0', t_ctid, t_infomask2, t_infomask, t_hoff, t_bits,
                              t_data)::text AS item
          FROM pages, heap_page_items(get_raw_page('mir_h', n::int)) i)
    SELECT n, lp, g.item, h.item FROM g FULL JOIN h USING (n, lp) WHERE g.item IS DISTINCT FROM h.item $$;
CREATE FUNCTION header_differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM generate_series(0, pg_relation_size('mir_h') / 8192 - 1) n,
        page_header(glassheap_get_raw_page('mir_g', n)) g, page_header(get_raw_page('mir_h', n::int)) h
    WHERE (g.flags, g.lower, g.upper, g.special, g.prune_xid = '0') <> (h.flags, h.lower, h.upper, h.special, h.prune_xid = '0') $$;
CREATE FUNCTION map_differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_visibility_map('mir_g') g FULL JOIN pg_visibility_map('mir_h') h USING (blkno)
    WHERE (g.all_visible, g.all_frozen) IS DISTINCT FROM (h.all_visible, h.all_frozen) $$;
CREATE VIEW compared AS
    SELECT pg_relation_size('mir_g') = pg_relation_size('mir_h') AS same_size,
           (SELECT count(*) FROM page_differences()) AS items, header_differences() AS headers, map_differences() AS bits;

CALL on_both('INSERT INTO %s SELECT i, i %% 13, repeat(chr(97 + i %% 26), i %% 300) FROM generate_series(1, 3000) i');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
CALL on_both('UPDATE %s SET grp = grp + 1 WHERE id %% 3 = 0');
CALL on_both('DELETE FROM %s WHERE id %% 11 = 0');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
-- longer versions move to other pages
CALL on_both('UPDATE %s SET v = v || v WHERE id %% 5 = 0');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
-- an aborted transaction's rows
BEGIN;
CALL on_both('INSERT INTO %s SELECT i, 0, ''aborted'' FROM generate_series(5001, 5500) i');
CALL on_both('UPDATE %s SET grp = -1 WHERE id %% 7 = 0');
ROLLBACK;
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
-- row locks, also by two at once
BEGIN;
SELECT count(*) FROM (SELECT 1 FROM mir_g WHERE id % 9 = 0 FOR SHARE) s;
SELECT count(*) FROM (SELECT 1 FROM mir_h WHERE id % 9 = 0 FOR SHARE) s;
SAVEPOINT s;
SELECT count(*) FROM (SELECT 1 FROM mir_g WHERE id % 18 = 0 FOR UPDATE) s;
SELECT count(*) FROM (SELECT 1 FROM mir_h WHERE id % 18 = 0 FOR UPDATE) s;
COMMIT;
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
CALL on_both('DELETE FROM %s WHERE id > 200');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
SELECT * FROM page_differences() LIMIT 5;
-- INDEX_CLEANUP off: the same dead line pointers stay
CALL on_both('DELETE FROM %s WHERE id %% 2 = 0');
VACUUM (INDEX_CLEANUP off) mir_g;
VACUUM (INDEX_CLEANUP off) mir_h;
SELECT * FROM compared;
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
-- and without an index
CALL on_both('ALTER TABLE %1$s DROP CONSTRAINT %1$s_pkey');
CALL on_both('DELETE FROM %s WHERE id %% 4 = 1');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;

-- Pages that are vacuumed as a whole: as a load has left them, unread, with and without null bitmaps.
SET vacuum_freeze_min_age = 50000000;
CALL on_both('TRUNCATE %s');
CALL on_both('INSERT INTO %s SELECT i, i %% 13, CASE WHEN i %% 3 > 0 THEN repeat(chr(97 + i %% 26), i %% 90) END FROM generate_series(1, 2000) i');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
SELECT bool_and(all_visible AND all_frozen) FROM pg_visibility_map('mir_g');
-- not read and not vacuumed before; then frozen rows and others on a page
CALL on_both('TRUNCATE %s');
CALL on_both('INSERT INTO %s SELECT i, i %% 13, CASE WHEN i %% 3 > 0 THEN repeat(''n'', i %% 90) END FROM generate_series(1, 100) i');
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
CALL on_both('INSERT INTO %s SELECT i, NULL, ''later'' FROM generate_series(101, 130) i');
CALL on_both('INSERT INTO %s SELECT i, NULL, ''last'' FROM generate_series(131, 150) i');
VACUUM mir_g;
VACUUM mir_h;
SELECT * FROM compared;
SELECT bool_and(all_visible), bool_and(all_frozen) FROM pg_visibility_map('mir_g');
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
-- some inserters of a page are to be frozen, and some are not
CALL on_both('INSERT INTO %s SELECT i, NULL, ''old'' FROM generate_series(201, 210) i');
DO $$ BEGIN FOR i IN 1 .. 300 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;
CALL on_both('INSERT INTO %s SELECT i, NULL, ''new'' FROM generate_series(211, 220) i');
SET vacuum_freeze_min_age = 150;
VACUUM (DISABLE_PAGE_SKIPPING) mir_g;
VACUUM (DISABLE_PAGE_SKIPPING) mir_h;
SELECT * FROM compared;
SELECT v, count(*) FROM mir_g, LATERAL heap_page_items(glassheap_get_raw_page('mir_g', (ctid::text::point)[0]::bigint)) i
    WHERE i.t_ctid = ctid AND t_infomask & 768 = 768 AND id > 200 GROUP BY v;
RESET vacuum_freeze_min_age;
-- one row of the page that is not like the others: deleted or locked in vain, inserted in vain, updated in place
CALL on_both('TRUNCATE %s');
CALL on_both('INSERT INTO %s SELECT i, i, ''row'' FROM generate_series(1, 1000) i');
BEGIN;
CALL on_both('DELETE FROM %s WHERE id = 3');
ROLLBACK;
BEGIN;
CALL on_both('INSERT INTO %s VALUES (5001, 0, ''in vain'')');
ROLLBACK;
CALL on_both('UPDATE %s SET grp = 0 WHERE id = 400');
SELECT 1 AS locked FROM mir_g WHERE id = 600 FOR UPDATE;
SELECT 1 AS locked FROM mir_h WHERE id = 600 FOR UPDATE;
-- whoever reads the rows leaves the hint that an xmax is nobody's
SELECT (SELECT count(*) FROM mir_g) = (SELECT count(*) FROM mir_h) AS same;
VACUUM (FREEZE) mir_g;
VACUUM (FREEZE) mir_h;
SELECT * FROM compared;
SELECT * FROM page_differences() LIMIT 5;
-- and once more: redirects and unused line pointers among frozen rows
CALL on_both('INSERT INTO %s SELECT i, i, ''row'' FROM generate_series(1001, 1005) i');
VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) mir_g;
VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) mir_h;
SELECT * FROM compared;
SELECT relfrozenxid::text::bigint > 0 AS advanced, count(*) FROM pg_class WHERE relname IN ('mir_g', 'mir_h') GROUP BY 1;

DROP VIEW compared;
DROP FUNCTION page_differences(), header_differences(), map_differences();
DROP PROCEDURE on_both(text);
DROP TABLE mir_g, mir_h;
DROP EXTENSION pageinspect, pg_visibility;
