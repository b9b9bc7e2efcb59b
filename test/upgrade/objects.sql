-- test/upgrade/objects.sql: everything there is to say about the extension's objects, without the numbers that differ
-- from database to database; one fact a line.
-- SPDX-License-Identifier: PostgreSQL
\set QUIET on
\pset format unaligned
\pset tuples_only on
-- Every name of ours in full, as definitions are printed.
SET search_path = pg_catalog;
CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid, d.objsubid, pg_describe_object(d.classid, d.objid, d.objsubid) AS name
      FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
     WHERE e.extname = 'glassheap' AND d.deptype = 'e';

SELECT name FROM member
UNION ALL
SELECT name || ': comment: ' || c.objsubid || ' ' || c.description
  FROM member m JOIN pg_description c ON c.classoid = m.classid AND c.objoid = m.objid
UNION ALL
SELECT name || ': ' || replace(pg_get_functiondef(p.oid), E'\n', ' ') || ' COST ' || procost || ' ROWS ' || prorows || ' C ' || coalesce(probin, '')
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
UNION ALL
SELECT name || ': privilege: ' || coalesce(proacl::text, 'default')
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
UNION ALL
SELECT name || ': ' || replace(pg_get_viewdef(c.oid), E'\n', ' ') || ' privilege: ' || coalesce(relacl::text, 'default') || ' ' || coalesce(reloptions::text, '')
  FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND relkind = 'v'
UNION ALL
SELECT name || ': column ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod)
  FROM member m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND attnum > 0
UNION ALL
SELECT name || ': handler ' || amhandler::regproc || ' type ' || amtype::text
  FROM member m JOIN pg_am a ON m.classid = 'pg_am'::regclass AND a.oid = m.objid
UNION ALL
SELECT name || ': initial privilege: ' || i.initprivs::text
  FROM member m JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid
ORDER BY 1;
