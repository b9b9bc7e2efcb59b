-- Every object of the extension has a comment, columns of views, too.
WITH members AS (
    SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
       AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'glassheap')
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum FROM pg_attribute a
      JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.deptype = 'e'
     WHERE d.refclassid = 'pg_extension'::regclass AND a.attnum > 0
       AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'glassheap'))
SELECT pg_describe_object(classid, objid, objsubid) AS without_comment FROM members m
 WHERE NOT EXISTS (SELECT FROM pg_description c WHERE c.classoid = m.classid AND c.objoid = m.objid AND c.objsubid = m.objsubid)
   AND NOT (classid = 'pg_type'::regclass OR classid = 'pg_rewrite'::regclass)    -- row types and rules of views
 ORDER BY 1;
SELECT obj_description('glassheap_tables'::regclass), col_description('glassheap_tables'::regclass, 1),
       obj_description('glassheap_version()'::regprocedure), (SELECT obj_description(oid, 'pg_am') FROM pg_am WHERE amname = 'glassheap');
