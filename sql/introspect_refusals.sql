-- What is not a glassheap table, not a block, not a page: each mistake has its SQLSTATE, and its hint where one helps.
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE TABLE good (id int PRIMARY KEY, v text) USING glassheap;
INSERT INTO good SELECT g, 'v' || g FROM generate_series(1, 300) g;
VACUUM good;
CREATE TABLE empty (id int) USING glassheap;
CREATE TEMP TABLE mine (id int) USING glassheap;
INSERT INTO mine SELECT generate_series(1, 300);
CREATE UNLOGGED TABLE unlogged (id int) USING glassheap;
INSERT INTO unlogged SELECT generate_series(1, 300);
CREATE MATERIALIZED VIEW matview USING glassheap AS SELECT * FROM good;
CREATE TABLE plain (id int, long text) USING heap;
CREATE VIEW aview AS SELECT * FROM good;
CREATE SEQUENCE aseq;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (100) USING glassheap;
CREATE FOREIGN TABLE afile (t text) SERVER files OPTIONS (filename '/dev/null');
CREATE TYPE atype AS (x int);

CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; state text; hint text; detail text;
BEGIN
    EXECUTE 'SELECT count(*)::text || '' row(s)'' FROM ' || statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, answer = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT,
        detail = PG_EXCEPTION_DETAIL;
    RETURN state || ': ' || answer || CASE WHEN detail <> '' THEN ' | ' || detail ELSE '' END
        || CASE WHEN hint <> '' THEN ' | ' || hint ELSE '' END;
END $$;

-- Every function of one relation, on every kind of relation: the wrong kinds are refused with the same words.
CREATE TEMP TABLE calls (n serial, call text);
INSERT INTO calls (call) SELECT unnest(ARRAY[
    'glassheap_freespace(%s)', 'glassheap_freespace(%s, 0)', 'glassheap_freespace_summary(%s)',
    'glassheap_fsm_check(%s)', 'glassheap_fsm_tree(%s)', 'glassheap_visibility_map(%s)',
    'glassheap_visibility_map(%s, 0)', 'glassheap_visibility(%s)', 'glassheap_visibility(%s, 0)',
    'glassheap_visibility_map_summary(%s)', 'glassheap_check_visible(%s)', 'glassheap_check_frozen(%s)',
    'glassheap_truncate_visibility_map(%s)', 'glassheap_repair_visibility_map(%s)', 'glassheap_buffercache_evict_relation(%s)',
    'glassheap_buffercache_mark_dirty_relation(%s)', 'glassheap_get_raw_page(%s, 0)',
    'glassheap_get_disk_page(%s, 0)', 'glassheap_page_header(%s, 0)', 'glassheap_page_items(%s, 0)',
    'glassheap_page_item_attrs(%s, 0)', 'glassheap_fsm_page_contents(%s, 0)', 'glassheap_stattuple(%s)',
    'glassheap_stattuple_approx(%s)', 'glassheap_files(%s)', 'glassheap_pages(%s)', 'glassheap_map(%s)',
    'glassheap_report(%s)', 'glassheap_verify(%s)', 'glassheap_rowlocks(%s)', 'glassheap_prewarm(%s)']);

SELECT kind, rel, count(*) AS calls, try(format(min(call), quote_literal(rel))) AS answer,
       count(DISTINCT try(format(call, quote_literal(rel)))) AS different_answers
  FROM calls, (VALUES (1, 'heap table', 'plain'), (2, 'view', 'aview'), (3, 'index', 'good_pkey'), (4, 'sequence', 'aseq'),
       (5, 'partitioned table', 'parted'), (6, 'foreign table', 'afile'), (7, 'type', 'atype'),
       (8, 'catalog', 'pg_class')) AS k(n2, kind, rel)
 GROUP BY n2, kind, rel ORDER BY n2;

-- On tables of ours of every persistence they answer; an empty table has no page 0.
SELECT call, try(format(call, '''good''')) AS good, try(format(call, '''part1''')) AS empty_partition,
       try(format(call, '''mine''')) AS temporary, try(format(call, '''unlogged''')) AS unlogged
  FROM calls WHERE call !~ 'truncate|repair|evict|mark_dirty' ORDER BY n;
SELECT try('glassheap_stattuple(''matview'')'), try('glassheap_verify(''matview'')');

-- A relation that is not there.
SELECT try('glassheap_stattuple(''nowhere'')');
SELECT try('glassheap_stattuple(4000000000::oid::regclass)');
-- TOAST tables are heap.
SELECT regexp_replace(try(format('glassheap_stattuple(%L)', reltoastrelid::regclass)), 'pg_toast_[0-9]+', 'pg_toast_N')
  FROM pg_class WHERE relname = 'good';

-- Block numbers.
SELECT s, regexp_replace(try(s), 'buffers 1 to [0-9]+', 'buffers 1 to N') AS answer FROM unnest(ARRAY[
    'glassheap_freespace(''good'', -1)', 'glassheap_freespace(''good'', 4294967295)', 'glassheap_freespace(''good'', 99999)',
    'glassheap_visibility_map(''good'', -1)', 'glassheap_visibility(''good'', 4294967295)',
    'glassheap_visibility(''good'', 99999)',
    'glassheap_get_raw_page(''good'', -1)', 'glassheap_get_raw_page(''good'', 99999)',
    'glassheap_get_raw_page(''good'', 9223372036854775807)', 'glassheap_get_raw_page(''empty'', 0)',
    'glassheap_get_raw_page(''good'', ''init'', 0)', 'glassheap_get_raw_page(''good'', ''nofork'', 0)',
    'glassheap_get_raw_page(''good'', ''fsm'', 4000000)', 'glassheap_get_raw_page(''good'', ''vm'', 1)',
    'glassheap_get_disk_page(''good'', -1)', 'glassheap_get_disk_page(''good'', 99999)',
    'glassheap_page_header(''good'', 99999)', 'glassheap_page_items(''good'', -5)',
    'glassheap_page_item_attrs(''good'', 99999)', 'glassheap_fsm_page_contents(''empty'', 0)',
    'glassheap_verify(''good'', startblock => -1)', 'glassheap_verify(''good'', startblock => 99999)',
    'glassheap_verify(''good'', endblock => 99999)', 'glassheap_verify(''good'', skip => ''some'')',
    'glassheap_verify(NULL)', 'glassheap_verify(''good'', on_error_stop => NULL)',
    'glassheap_verify(''good'', check_toast => NULL)', 'glassheap_verify(''good'', skip => NULL)',
    'glassheap_prewarm(''good'', ''melt'')', 'glassheap_prewarm(''good'', NULL)', 'glassheap_prewarm(NULL)',
    'glassheap_prewarm(''good'', ''buffer'', ''init'')', 'glassheap_prewarm(''good'', first_block => 99999)',
    'glassheap_prewarm(''good'', last_block => -1)',
    'glassheap_map(''good'', 0)', 'glassheap_map(''good'', 100000)', 'glassheap_report(''good'', 99999)',
    'glassheap_report(NULL)',
    'glassheap_buffercache_evict(0)', 'glassheap_buffercache_mark_dirty(-1)',
    'glassheap_page_checksum(repeat(''x'', 8192)::bytea, -1)',
    'glassheap_page_header(''\x''::bytea)', 'glassheap_page_header(repeat(''x'', 8191)::bytea)',
    'glassheap_page_items(repeat(''x'', 23)::bytea)', 'glassheap_page_items(repeat(''x'', 8193)::bytea)',
    'glassheap_page_item_attrs(''\x00''::bytea, ''good'')', 'glassheap_fsm_page_contents(''\x00''::bytea)',
    'glassheap_page_checksum(''\x00''::bytea, 0)',
    'glassheap_tuple_data_split(''good'', ''\x00'', 0, 9, NULL)', 'glassheap_tuple_data_split(''good'', ''\x00'', 1, 2, NULL)',
    'glassheap_tuple_data_split(''good'', ''\x00'', 1, 2, ''1'')', 'glassheap_tuple_data_split(''good'', ''\x00'', 1, 2, ''1100000x'')',
    'glassheap_tuple_data_split(''good'', ''\x00'', 0, 2, ''11000000'')', 'glassheap_tuple_data_split(NULL, ''\x00'', 0, 2, NULL)',
    'glassheap_tuple_data_split(''plain'', ''\x00'', 0, 2, NULL)'
    ]) AS s;

-- Strict functions answer NULL to NULL.
SELECT glassheap_freespace('good', NULL), glassheap_get_raw_page(NULL, 0), glassheap_visibility_map_summary(NULL),
       (SELECT count(*) FROM glassheap_page_items(NULL)), (SELECT count(*) FROM glassheap_pages(NULL));

-- A temporary table's pages are not in the shared pool.
SELECT try('glassheap_buffercache_evict_relation(''mine'')');

DROP FUNCTION try(text);
DROP FOREIGN TABLE afile; DROP SERVER files; DROP EXTENSION file_fdw;
DROP TABLE parted, plain, unlogged, empty, mine, calls; DROP MATERIALIZED VIEW matview; DROP VIEW aview; DROP TABLE good;
DROP SEQUENCE aseq; DROP TYPE atype;
