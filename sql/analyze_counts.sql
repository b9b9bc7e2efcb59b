-- What ANALYZE counts as live and dead on pages whose rows have every fate: of one inserter and of several, deleted, updated,
-- locked, rolled back, of the transaction that asks.  A heap table beside it must give the same lines.
CREATE TABLE counted_ours (id int, n int, pad text) USING glassheap WITH (autovacuum_enabled = off);
CREATE TABLE counted_heap (id int, n int, pad text) USING heap WITH (autovacuum_enabled = off);
CREATE PROCEDURE in_both(statement text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE replace(statement, 'TABLE', 'counted_ours');
  EXECUTE replace(statement, 'TABLE', 'counted_heap');
END $$;
-- one inserter, some of whose rows the same transaction deletes, updates and locks, and takes back
BEGIN;
CALL in_both('INSERT INTO TABLE SELECT g, 0, repeat(''x'', 50) FROM generate_series(1, 1000) g');
CALL in_both('DELETE FROM TABLE WHERE id % 10 = 0');
SAVEPOINT a;
CALL in_both('INSERT INTO TABLE SELECT g, 1, repeat(''x'', 50) FROM generate_series(1001, 1300) g');
CALL in_both('UPDATE TABLE SET n = 2 WHERE id % 10 = 1');
ROLLBACK TO a;
CALL in_both('UPDATE TABLE SET n = 3 WHERE id % 10 = 2');
SELECT count(*) FROM (SELECT 1 FROM counted_ours WHERE id % 10 = 3 FOR UPDATE) x;
SELECT count(*) FROM (SELECT 1 FROM counted_heap WHERE id % 10 = 3 FOR UPDATE) x;
COMMIT;
ANALYZE VERBOSE counted_heap;
ANALYZE VERBOSE counted_ours;
-- other inserters and deleters on the same pages, one of them rolled back
CALL in_both('DELETE FROM TABLE WHERE id % 10 = 4');
BEGIN;
CALL in_both('DELETE FROM TABLE WHERE id % 10 = 5');
CALL in_both('INSERT INTO TABLE SELECT g, 4, ''y'' FROM generate_series(2001, 2100) g');
ROLLBACK;
CALL in_both('INSERT INTO TABLE SELECT g, 5, ''z'' FROM generate_series(3001, 3050) g');
CALL in_both('UPDATE TABLE SET pad = ''longer '' || pad WHERE id % 10 = 6');
ANALYZE VERBOSE counted_heap;
ANALYZE VERBOSE counted_ours;
-- the transaction that asks has inserted, deleted and updated
BEGIN;
CALL in_both('INSERT INTO TABLE SELECT g, 6, ''own'' FROM generate_series(4001, 4070) g');
CALL in_both('DELETE FROM TABLE WHERE id % 10 = 7');
CALL in_both('UPDATE TABLE SET n = 7 WHERE id % 10 = 8');
CALL in_both('DELETE FROM TABLE WHERE id = 4001');
ANALYZE VERBOSE counted_heap;
ANALYZE VERBOSE counted_ours;
ROLLBACK;
ANALYZE VERBOSE counted_heap;
ANALYZE VERBOSE counted_ours;
-- hinted, pruned and vacuumed
SELECT count(*), sum(id), sum(n) FROM counted_ours;
SELECT count(*), sum(id), sum(n) FROM counted_heap;
VACUUM counted_ours, counted_heap;
ANALYZE VERBOSE counted_heap;
ANALYZE VERBOSE counted_ours;
DROP TABLE counted_ours, counted_heap;
DROP PROCEDURE in_both(text);
