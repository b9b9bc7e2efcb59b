-- stock_checkers: pg_visibility's checkers would write stale pages over ours; they are refused on our tables, and only
-- there.  The rest of pg_visibility reads the visibility map, which is where core expects it.
CREATE EXTENSION pg_visibility;
CREATE TABLE ours (a int) USING glassheap;
CREATE TABLE theirs (a int) USING heap;
INSERT INTO ours SELECT g FROM generate_series(1, 1000) g;
INSERT INTO theirs SELECT g FROM generate_series(1, 1000) g;
VACUUM (FREEZE) ours, theirs;
\set VERBOSITY sqlstate
SELECT * FROM pg_check_visible('ours');
\set VERBOSITY default
SELECT * FROM pg_check_frozen('ours');
SELECT count(*) FROM pg_check_visible('theirs');
SELECT count(*) FROM pg_check_frozen('theirs');
-- with an argument that is known only when it runs, and several calls in one query
SELECT c.relname, t FROM pg_class c, LATERAL pg_check_frozen(c.oid) t WHERE relname IN ('ours', 'theirs') ORDER BY 1;
SELECT (SELECT count(*) FROM pg_check_visible('theirs')) AS theirs, (SELECT count(*) FROM ours) AS ours;
-- an error does not leave the refusal behind
DO $$
BEGIN
  PERFORM pg_check_visible('ours');
EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE 'refused';
END $$;
SELECT count(*) FROM ours;
SELECT pg_relation_size('ours') > 0 AS sized;
SELECT all_visible, all_frozen FROM pg_visibility_map_summary('ours');
SELECT count(*) FROM glassheap_check_visible('ours');
SELECT count(*) FROM glassheap_check_frozen('ours');
DROP TABLE ours, theirs;
DROP EXTENSION pg_visibility;
