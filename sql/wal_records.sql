-- wal_records: what pg_walinspect says about our records: every type by name, every field as "key: value".
SET client_min_messages = warning;  -- another test may have left it
CREATE EXTENSION IF NOT EXISTS pg_walinspect;
RESET client_min_messages;
CREATE TABLE wal_records (a int PRIMARY KEY, b text, c int) USING glassheap WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO wal_records SELECT g, 'filler', g FROM generate_series(1, 5) g;
-- Images hide the rest of a record: write those that the checkpoint asks for now.
CHECKPOINT;
UPDATE wal_records SET c = c WHERE a = 1;
DELETE FROM wal_records WHERE a = 1;
VACUUM wal_records;
-- From what is inserted, which VACUUM need not have flushed, up to what is flushed: other sessions write as well.
CREATE TABLE wal_start AS SELECT pg_current_wal_insert_lsn() AS lsn;

-- Transaction ids replaced by their distance to nothing: X, 0 stays 0.
CREATE FUNCTION said_since(lsn pg_lsn) RETURNS TABLE (record text, says text) LANGUAGE sql AS $$
  SELECT record_type,
         regexp_replace(description, '((latest_removed_xid|cutoff_xid|xmax|old_xmax|new_xmax): )[1-9][0-9]*', '\1X', 'g')
  FROM pg_get_wal_records_info(lsn, pg_current_wal_flush_lsn())
  WHERE resource_manager = 'glassheap' AND record_type <> 'HINT_IMAGE'
    AND block_ref LIKE '%' || pg_relation_filenode('wal_records') || '%'
  ORDER BY start_lsn $$;
CREATE PROCEDURE show_and_go_on() LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  -- a commit flushes what is to be read
  UPDATE wal_start SET lsn = lsn;
  COMMIT;
  FOR r IN SELECT s.* FROM wal_start, said_since(lsn) s LOOP RAISE INFO '% %', r.record, r.says; END LOOP;
  UPDATE wal_start SET lsn = pg_current_wal_insert_lsn();
END $$;

INSERT INTO wal_records VALUES (10, 'one', 1);
CALL show_and_go_on();
UPDATE wal_records SET c = c + 1 WHERE a = 10;
CALL show_and_go_on();
UPDATE wal_records SET a = 11 WHERE a = 10;
CALL show_and_go_on();
DELETE FROM wal_records WHERE a = 11;
CALL show_and_go_on();
SELECT a FROM wal_records WHERE a = 2 FOR KEY SHARE;
CALL show_and_go_on();
BEGIN; SELECT a FROM wal_records WHERE a = 2 FOR UPDATE; ROLLBACK;
CALL show_and_go_on();
INSERT INTO wal_records VALUES (12, 'speculative', 1) ON CONFLICT DO NOTHING;
CALL show_and_go_on();
VACUUM (INDEX_CLEANUP ON) wal_records;
CALL show_and_go_on();
UPDATE wal_records SET c = 0 WHERE a = 3;
CALL show_and_go_on();
VACUUM (FREEZE) wal_records;
CALL show_and_go_on();
COPY wal_records FROM stdin;
20	copied	1
21	copied	2
\.
CALL show_and_go_on();
VACUUM (FREEZE) wal_records;
CALL show_and_go_on();
INSERT INTO wal_records SELECT g, 'page', g FROM generate_series(100, 260) g;
SELECT record, count(*) > 0 AS some FROM wal_start, said_since(lsn) WHERE record LIKE '%INIT' OR says LIKE '%INIT_PAGE%' GROUP BY record;
SELECT count(*) AS damaged FROM wal_start, said_since(lsn) WHERE says LIKE '%damaged%' OR says IS NULL;
SELECT DISTINCT resource_manager FROM pg_get_wal_records_info((SELECT lsn FROM wal_start), pg_current_wal_flush_lsn())
WHERE resource_manager LIKE 'glass%' OR resource_manager LIKE 'custom%';
DROP PROCEDURE show_and_go_on;
DROP FUNCTION said_since;
DROP TABLE wal_start, wal_records;
DROP EXTENSION pg_walinspect;
