-- Twins: the same rows in the same order in a glassheap and in a heap table; our functions and the stock ones agree on
-- them in everything but LSNs (and command ids, since both are filled by one transaction).
CREATE EXTENSION pg_freespacemap;
CREATE EXTENSION pg_visibility;
CREATE EXTENSION pageinspect;
CREATE EXTENSION pgstattuple;
CREATE EXTENSION pgrowlocks;
CREATE EXTENSION amcheck;

CREATE TABLE g (id int PRIMARY KEY, v text, n numeric, b bytea) USING glassheap WITH (autovacuum_enabled = off, fillfactor = 90);
CREATE TABLE h (id int PRIMARY KEY, v text, n numeric, b bytea) USING heap WITH (autovacuum_enabled = off, fillfactor = 90);
CREATE PROCEDURE twice(statement text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE replace(statement, '$T', 'g');
    EXECUTE replace(statement, '$T', 'h');
END $$;
CREATE FUNCTION differences(ours text, stock text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM ((SELECT row_number() OVER () AS nr, x.* FROM (%1$s) x EXCEPT ALL SELECT row_number() OVER (), y.* FROM (%2$s) y) '
                   'UNION ALL (SELECT row_number() OVER () AS nr, y.* FROM (%2$s) y EXCEPT ALL SELECT row_number() OVER (), x.* FROM (%1$s) x)) d',
                   ours, stock) INTO n;
    RETURN n;
END $$;
-- All comparisons at once; each should say 0.  The tables are compared page by page, byte by byte where bytes are meant.
CREATE FUNCTION compare(OUT what text, OUT rows bigint, OUT differences bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    pair text[];
    pages int := pg_relation_size('h') / 8192;
    last int := greatest(pages - 1, 0);
BEGIN
    what := 'pages';
    rows := pages;
    differences := pg_relation_size('g') / 8192 - pages;
    RETURN NEXT;
    FOREACH pair SLICE 1 IN ARRAY ARRAY[
        ['freespace', 'SELECT blkno, avail FROM glassheap_freespace(''g'')', 'SELECT * FROM pg_freespace(''h'')'],
        ['freespace by block', 'SELECT i, glassheap_freespace(''g'', i) FROM generate_series(0, 70000, 7) i', 'SELECT i, pg_freespace(''h'', i) FROM generate_series(0, 70000, 7) i'],
        ['visibility map', 'SELECT * FROM glassheap_visibility_map(''g'')', 'SELECT * FROM pg_visibility_map(''h'')'],
        ['visibility', 'SELECT * FROM glassheap_visibility(''g'')', 'SELECT * FROM pg_visibility(''h'')'],
        ['visibility by block', 'SELECT v.* FROM generate_series(0, 500) i, glassheap_visibility(''g'', i) v', 'SELECT v.* FROM generate_series(0, 500) i, pg_visibility(''h'', i) v'],
        ['visibility summary', 'SELECT * FROM glassheap_visibility_map_summary(''g'')', 'SELECT * FROM pg_visibility_map_summary(''h'')'],
        ['check visible', 'SELECT * FROM glassheap_check_visible(''g'')', 'SELECT * FROM pg_check_visible(''h'')'],
        ['check frozen', 'SELECT * FROM glassheap_check_frozen(''g'')', 'SELECT * FROM pg_check_frozen(''h'')'],
        ['stattuple', 'SELECT * FROM glassheap_stattuple(''g'')', 'SELECT * FROM pgstattuple(''h'')'],
        ['stattuple approx', 'SELECT * FROM glassheap_stattuple_approx(''g'')', 'SELECT * FROM pgstattuple_approx(''h'')'],
        ['page header',
         'SELECT flags, lower, upper, special, pagesize, version, prune_xid FROM generate_series(0, $LAST) i, glassheap_page_header(glassheap_get_raw_page(''g'', i))',
         'SELECT flags, lower, upper, special, pagesize, version, prune_xid FROM generate_series(0, $LAST) i, page_header(get_raw_page(''h'', i))'],
        ['our page header of stock page', 'SELECT h.* FROM generate_series(0, $LAST) i, glassheap_page_header(get_raw_page(''h'', i)) h', 'SELECT h.* FROM generate_series(0, $LAST) i, page_header(get_raw_page(''h'', i)) h'],
        ['stock page header of our page', 'SELECT h.* FROM generate_series(0, $LAST) i, glassheap_page_header(''g'', i) h', 'SELECT h.* FROM generate_series(0, $LAST) i, page_header(glassheap_get_raw_page(''g'', i)) h'],
        ['page items',
         'SELECT i, lp, lp_off, lp_flags, lp_len, t_xmin, t_xmax, t_ctid, t_infomask2, t_infomask, t_hoff, t_bits, t_oid, t_data FROM generate_series(0, $LAST) i, glassheap_page_items(''g'', i)',
         'SELECT i, lp, lp_off, lp_flags, lp_len, t_xmin, t_xmax, t_ctid, t_infomask2, t_infomask, t_hoff, t_bits, t_oid, t_data FROM generate_series(0, $LAST) i, heap_page_items(get_raw_page(''h'', i))'],
        ['our page items of stock page', 'SELECT p.* FROM generate_series(0, $LAST) i, glassheap_page_items(get_raw_page(''h'', i)) p', 'SELECT p.* FROM generate_series(0, $LAST) i, heap_page_items(get_raw_page(''h'', i)) p'],
        ['stock page items of our page', 'SELECT p.* FROM generate_series(0, $LAST) i, glassheap_page_items(''g'', i) p', 'SELECT p.* FROM generate_series(0, $LAST) i, heap_page_items(glassheap_get_raw_page(''g'', i)) p'],
        ['item attributes',
         'SELECT lp, t_ctid, t_attrs FROM generate_series(0, $LAST) i, glassheap_page_item_attrs(''g'', i)',
         'SELECT lp, t_ctid, t_attrs FROM generate_series(0, $LAST) i, heap_page_item_attrs(get_raw_page(''h'', i), ''h'')'],
        ['item attributes of bytes',
         'SELECT lp, t_attrs FROM generate_series(0, $LAST) i, glassheap_page_item_attrs(get_raw_page(''h'', i), ''g'', false)',
         'SELECT lp, t_attrs FROM generate_series(0, $LAST) i, heap_page_item_attrs(get_raw_page(''h'', i), ''h'', false)'],
        ['data split',
         'SELECT lp, glassheap_tuple_data_split(''g'', t_data, t_infomask, t_infomask2, t_bits) FROM generate_series(0, $LAST) i, glassheap_page_items(''g'', i)',
         'SELECT lp, tuple_data_split(''h''::regclass, t_data, t_infomask, t_infomask2, t_bits) FROM generate_series(0, $LAST) i, heap_page_items(get_raw_page(''h'', i))'],
        ['infomask flags',
         'SELECT f.* FROM generate_series(0, $LAST) i, glassheap_page_items(''g'', i) p, glassheap_tuple_infomask_flags(p.t_infomask, p.t_infomask2) f WHERE p.t_infomask IS NOT NULL',
         'SELECT f.* FROM generate_series(0, $LAST) i, heap_page_items(get_raw_page(''h'', i)) p, heap_tuple_infomask_flags(p.t_infomask, p.t_infomask2) f WHERE p.t_infomask IS NOT NULL'],
        ['page checksum', 'SELECT glassheap_page_checksum(get_raw_page(''h'', i), i) FROM generate_series(0, $LAST) i', 'SELECT page_checksum(get_raw_page(''h'', i), i) FROM generate_series(0, $LAST) i'],
        ['verify', 'SELECT * FROM glassheap_verify(''g'', check_toast => true)', 'SELECT * FROM verify_heapam(''h'', check_toast => true)'],
        ['row locks', 'SELECT locked_row, multi, modes, pids FROM glassheap_rowlocks(''g'')', 'SELECT locked_row, multi, modes, pids FROM pgrowlocks(''h'')']]
    LOOP
        CONTINUE WHEN pages = 0 AND pair[2] LIKE '%$LAST%';
        what := pair[1];
        EXECUTE 'SELECT count(*) FROM (' || replace(pair[2], '$LAST', last::text) || ') q' INTO rows;
        differences := differences(replace(pair[2], '$LAST', last::text), replace(pair[3], '$LAST', last::text));
        RETURN NEXT;
    END LOOP;
END $$;

\echo == empty
SELECT * FROM compare() WHERE differences <> 0;

\echo == filled by one transaction, with nulls and long values
BEGIN;
CALL twice($$INSERT INTO $T SELECT i, repeat('x', i % 120), CASE WHEN i % 3 = 0 THEN i * 1.5 END, CASE WHEN i % 4 = 0 THEN decode(md5(i::text), 'hex') END FROM generate_series(1, 1600) i$$);
COMMIT;
SELECT * FROM compare() WHERE differences <> 0;

\echo == deleted and updated
BEGIN;
CALL twice('DELETE FROM $T WHERE id % 7 = 0');
CALL twice('UPDATE $T SET n = id WHERE id % 10 = 1');
CALL twice('UPDATE $T SET v = v || repeat(''z'', 60) WHERE id % 50 = 2');
COMMIT;
SELECT * FROM compare() WHERE differences <> 0;

\echo == vacuumed
VACUUM g; VACUUM h;
SELECT * FROM compare() WHERE differences <> 0;

\echo == updated in place, and rolled back
BEGIN;
CALL twice('UPDATE $T SET n = n + 1 WHERE id BETWEEN 100 AND 130');
COMMIT;
BEGIN;
CALL twice('DELETE FROM $T WHERE id BETWEEN 200 AND 210');
ROLLBACK;
SELECT * FROM compare() WHERE differences <> 0;

\echo == rows locked by this transaction
BEGIN;
CALL twice('SELECT 1 FROM $T WHERE id BETWEEN 300 AND 305 FOR UPDATE');
CALL twice('SELECT 1 FROM $T WHERE id BETWEEN 310 AND 315 FOR SHARE');
CALL twice('SELECT 1 FROM $T WHERE id BETWEEN 320 AND 325 FOR NO KEY UPDATE');
CALL twice('SELECT 1 FROM $T WHERE id BETWEEN 330 AND 335 FOR KEY SHARE');
SELECT what, rows, differences FROM compare() WHERE what = 'row locks';
ROLLBACK;

\echo == frozen
VACUUM (FREEZE) g; VACUUM (FREEZE) h;
SELECT * FROM compare() WHERE differences <> 0;

\echo == everything deleted, tail given back
BEGIN;
CALL twice('DELETE FROM $T WHERE id > 600');
COMMIT;
VACUUM g; VACUUM h;
SELECT * FROM compare() WHERE differences <> 0;

\echo == all comparisons, with the number of rows compared
SELECT what, rows > 0 AS compared, differences FROM compare();

\echo == toasted values
CREATE TABLE tg (id int, v text) USING glassheap;
CREATE TABLE th (id int, v text) USING heap;
ALTER TABLE tg ALTER v SET STORAGE EXTERNAL;
ALTER TABLE th ALTER v SET STORAGE EXTERNAL;
INSERT INTO tg SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 20) i;
INSERT INTO th SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 20) i;
SELECT differences('SELECT lp, t_attrs FROM glassheap_page_item_attrs(''tg'', 0, true)',
                   'SELECT lp, t_attrs FROM heap_page_item_attrs(get_raw_page(''th'', 0), ''th'', true)');
SELECT count(*) FROM glassheap_verify('tg', check_toast => true);

\echo == the infomask names, bit by bit
SELECT count(*) AS different FROM generate_series(0, 15) bit,
       LATERAL (SELECT (1 << bit) AS m) b,
       LATERAL glassheap_tuple_infomask_flags(m, m) o, LATERAL heap_tuple_infomask_flags(m, m) s
 WHERE (o.raw_flags, o.combined_flags) IS DISTINCT FROM (s.raw_flags, s.combined_flags);
SELECT * FROM glassheap_tuple_infomask_flags(65535, 65535);
SELECT * FROM glassheap_tuple_infomask_flags(0, 0);

\echo == free space map pages: stock decoder on ours, ours on the stock page
SELECT fsm_page_contents(glassheap_get_raw_page('g', 'fsm', i)) = glassheap_fsm_page_contents('g', i) AS same,
       glassheap_fsm_page_contents(get_raw_page('h', 'fsm', i)) = fsm_page_contents(get_raw_page('h', 'fsm', i)) AS same_too
  FROM generate_series(0, 2) i;

\echo == the map that nobody believes any more
SELECT glassheap_truncate_visibility_map('g');
SELECT pg_truncate_visibility_map('h');
SELECT * FROM compare() WHERE differences <> 0 AND what LIKE 'visib%';
SELECT * FROM glassheap_visibility_map_summary('g');

DROP TABLE g, h, tg, th;
DROP PROCEDURE twice(text); DROP FUNCTION compare(); DROP FUNCTION differences(text, text);
DROP EXTENSION pg_freespacemap, pg_visibility, pageinspect, pgstattuple, pgrowlocks, amcheck;
