-- Every function and view: its columns; and that the columns of the stock counterpart come first, in stock order.
SELECT p.oid::regprocedure::text AS function, pg_get_function_result(p.oid) AS result,
       p.provolatile AS vol, p.proparallel AS par, p.proisstrict AS strict
  FROM pg_proc p
 WHERE p.proname LIKE 'glassheap\_%'
 ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind = 'v' AND c.relname LIKE 'glassheap\_%'
 GROUP BY c.relname
 ORDER BY c.relname COLLATE "C";

-- The stock functions' names, types and order, as a prefix of ours.
CREATE EXTENSION pg_freespacemap;
CREATE EXTENSION pg_visibility;
CREATE EXTENSION pg_buffercache;
CREATE EXTENSION pageinspect;
CREATE EXTENSION pgstattuple;
CREATE EXTENSION pgrowlocks;
CREATE EXTENSION pg_prewarm;
CREATE EXTENSION amcheck;

CREATE FUNCTION out_columns(f regprocedure) RETURNS text[] LANGUAGE sql AS $$
    SELECT COALESCE(array_agg(n || ' ' || format_type(t, NULL) ORDER BY i), ARRAY[]::text[])
      FROM pg_proc p, unnest(p.proallargtypes, p.proargnames, p.proargmodes) WITH ORDINALITY AS u(t, n, m, i)
     WHERE p.oid = f AND m IN ('o', 'b', 't')
$$;

SELECT stock, (out_columns(ours::regprocedure))[1 : cardinality(out_columns(stock::regprocedure))]
              = out_columns(stock::regprocedure) AS same_prefix,
       cardinality(out_columns(ours::regprocedure)) - cardinality(out_columns(stock::regprocedure)) AS added,
       (SELECT o.prorettype = s.prorettype AND o.proretset = s.proretset
          FROM pg_proc o, pg_proc s WHERE o.oid = ours::regprocedure AND s.oid = stock::regprocedure) AS same_result
  FROM (VALUES
    ('pg_freespace(regclass,bigint)', 'glassheap_freespace(regclass,bigint)'),
    ('pg_freespace(regclass)', 'glassheap_freespace(regclass)'),
    ('pg_visibility_map(regclass,bigint)', 'glassheap_visibility_map(regclass,bigint)'),
    ('pg_visibility(regclass,bigint)', 'glassheap_visibility(regclass,bigint)'),
    ('pg_visibility_map(regclass)', 'glassheap_visibility_map(regclass)'),
    ('pg_visibility(regclass)', 'glassheap_visibility(regclass)'),
    ('pg_visibility_map_summary(regclass)', 'glassheap_visibility_map_summary(regclass)'),
    ('pg_check_frozen(regclass)', 'glassheap_check_frozen(regclass)'),
    ('pg_check_visible(regclass)', 'glassheap_check_visible(regclass)'),
    ('pg_truncate_visibility_map(regclass)', 'glassheap_truncate_visibility_map(regclass)'),
    ('get_raw_page(text,bigint)', 'glassheap_get_raw_page(regclass,bigint)'),
    ('get_raw_page(text,text,bigint)', 'glassheap_get_raw_page(regclass,text,bigint)'),
    ('page_header(bytea)', 'glassheap_page_header(bytea)'),
    ('page_header(bytea)', 'glassheap_page_header(regclass,bigint)'),
    ('page_checksum(bytea,bigint)', 'glassheap_page_checksum(bytea,bigint)'),
    ('fsm_page_contents(bytea)', 'glassheap_fsm_page_contents(bytea)'),
    ('heap_page_items(bytea)', 'glassheap_page_items(bytea)'),
    ('heap_page_items(bytea)', 'glassheap_page_items(regclass,bigint)'),
    ('heap_page_item_attrs(bytea,regclass,boolean)', 'glassheap_page_item_attrs(bytea,regclass,boolean)'),
    ('heap_page_item_attrs(bytea,regclass,boolean)', 'glassheap_page_item_attrs(regclass,bigint,boolean)'),
    ('heap_tuple_infomask_flags(integer,integer)', 'glassheap_tuple_infomask_flags(integer,integer)'),
    ('pgstattuple(regclass)', 'glassheap_stattuple(regclass)'),
    ('pgstattuple_approx(regclass)', 'glassheap_stattuple_approx(regclass)'),
    ('verify_heapam(regclass,boolean,boolean,text,bigint,bigint)',
     'glassheap_verify(regclass,boolean,boolean,text,bigint,bigint)'),
    ('pgrowlocks(text)', 'glassheap_rowlocks(regclass)'),
    ('pg_prewarm(regclass,text,text,bigint,bigint)', 'glassheap_prewarm(regclass,text,text,bigint,bigint)')
  ) AS pair(stock, ours);

CREATE FUNCTION view_columns(v regclass) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = v AND attnum > 0
$$;
SELECT (view_columns('glassheap_buffercache'))[1:9] = view_columns('pg_buffercache') AS buffercache,
       (view_columns('glassheap_stat_progress_vacuum'))[1:11] = view_columns('pg_stat_progress_vacuum') AS progress;

DROP FUNCTION out_columns(regprocedure);
DROP FUNCTION view_columns(regclass);
DROP EXTENSION pg_freespacemap, pg_visibility, pg_buffercache, pageinspect, pgstattuple, pgrowlocks, pg_prewarm, amcheck;
