-- What one session sees of its own versions: command ids, HOT, system columns, cursors, triggers, ON CONFLICT.
CREATE SCHEMA row_versions;
SET search_path = row_versions, public;
CREATE TABLE r (id int PRIMARY KEY, n int, pad text) USING glassheap WITH (autovacuum_enabled = off);

-- a command does not see its own rows
INSERT INTO r SELECT g, 0, 'x' FROM generate_series(1, 4) g;
INSERT INTO r SELECT id + 10, n, pad FROM r;
SELECT count(*) FROM r;

-- inserted, updated and deleted by one transaction: combined command ids
BEGIN;
INSERT INTO r VALUES (100, 1, 'new');
UPDATE r SET n = 2 WHERE id = 100;
DECLARE before_delete CURSOR FOR SELECT id, n FROM r WHERE id = 100;
DELETE FROM r WHERE id = 100;
SELECT count(*) FROM r WHERE id = 100;
FETCH ALL FROM before_delete;
COMMIT;

-- savepoints: xmax of an aborted subtransaction counts for nothing
BEGIN;
SAVEPOINT a;
DELETE FROM r WHERE id = 1;
ROLLBACK TO a;
UPDATE r SET n = n + 1 WHERE id = 1;
SAVEPOINT b;
UPDATE r SET n = n + 10 WHERE id = 1;
ROLLBACK TO b;
SELECT id, n FROM r WHERE id = 1;
UPDATE r SET n = n + 100 WHERE id = 1;
COMMIT;
SELECT id, n FROM r WHERE id = 1;

-- a row is updated once per command
UPDATE r SET n = s.v FROM (VALUES (2, 20), (2, 20)) s (i, v) WHERE id = s.i;
SELECT id, n FROM r WHERE id = 2;

-- WHERE CURRENT OF finds the newest version
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM r WHERE id = 3 FOR UPDATE;
FETCH c;
UPDATE r SET n = 30 WHERE CURRENT OF c;
UPDATE r SET n = n + 1 WHERE CURRENT OF c;
COMMIT;
SELECT id, n FROM r WHERE id = 3;

-- system columns
SELECT tableoid::regclass, xmin = pg_current_xact_id()::xid AS mine, xmax, cmin FROM r WHERE id = 4;
BEGIN;
SELECT id FROM r WHERE id = 4 FOR UPDATE;
SELECT xmax = pg_current_xact_id()::xid AS locked_by_me FROM r WHERE id = 4;
UPDATE r SET n = 4 WHERE id = 4;
SELECT xmin = pg_current_xact_id()::xid AS mine, xmax = xmin AS lock_inherited, cmin FROM r WHERE id = 4;
ROLLBACK;

-- ON CONFLICT
INSERT INTO r VALUES (1, 5, 'again') ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO r VALUES (1, 5, 'again'), (50, 5, 'new') ON CONFLICT (id) DO UPDATE SET pad = excluded.pad
  RETURNING id, n, pad;
INSERT INTO r VALUES (1, 5, 'skip') ON CONFLICT (id) DO UPDATE SET pad = excluded.pad WHERE r.n < 0
  RETURNING id;
INSERT INTO r VALUES (51, 0, repeat('long', 1000)), (51, 0, repeat('long', 1000)) ON CONFLICT DO NOTHING;
SELECT id, length(pad) FROM r WHERE id > 20 ORDER BY id;

-- triggers see old and new versions; one that changes the row itself is found out
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% %: % -> %', TG_WHEN, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD.n END,
    CASE WHEN TG_OP <> 'DELETE' THEN NEW.n END;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON r FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON r FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO r VALUES (60, 1, 'trigger');
UPDATE r SET n = 2 WHERE id = 60;
DELETE FROM r WHERE id = 60;
DROP TRIGGER a ON r;
DROP TRIGGER b ON r;
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE r SET n = n + 1000 WHERE id = NEW.id;
  RETURN NEW;
END $$;
CREATE TRIGGER m BEFORE UPDATE ON r FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddle();
UPDATE r SET n = 0 WHERE id = 2;
DROP TRIGGER m ON r;

-- TRUNCATE and rollback
BEGIN;
TRUNCATE r;
INSERT INTO r VALUES (1, 1, 'after truncate');
SELECT id, pad FROM r;
ROLLBACK;
SELECT count(*) FROM r;

-- COPY FREEZE: visible to all, map bits set; later changes take them away again
BEGIN;
CREATE TABLE frozen (id int, n int) USING glassheap;
COPY frozen FROM stdin WITH (FREEZE);
1	1
2	2
\.
COMMIT;
VACUUM frozen;
SELECT id, n FROM frozen;
UPDATE frozen SET n = 3 WHERE id = 2;
DELETE FROM frozen WHERE id = 1;
SELECT * FROM frozen;

-- the statistics count as heap's
SELECT pg_stat_force_next_flush();
SELECT n_tup_ins > 0 AS ins, n_tup_upd > 0 AS upd, n_tup_hot_upd > 0 AS hot, n_tup_del > 0 AS del
FROM pg_stat_user_tables WHERE relid = 'r'::regclass;

DROP SCHEMA row_versions CASCADE;
