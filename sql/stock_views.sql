-- PostgreSQL's own views tell the truth about glassheap tables.
CREATE TABLE st (id int PRIMARY KEY, v text, n int) USING glassheap WITH (autovacuum_enabled = off, fillfactor = 50);
INSERT INTO st SELECT g, repeat('s', 100), 0 FROM generate_series(1, 1000) g;
UPDATE st SET n = 1 WHERE id <= 100;
UPDATE st SET id = id + 10000 WHERE id <= 10;
DELETE FROM st WHERE id BETWEEN 500 AND 549;
BEGIN; INSERT INTO st SELECT g, 'rolled back', 0 FROM generate_series(20001, 20020) g; ROLLBACK;
SELECT count(*) FROM st;
SELECT count(*) FROM st WHERE id = 700;
SELECT pg_stat_force_next_flush();
SELECT seq_scan > 0 AS seq_scan, idx_scan > 0 AS idx_scan, n_tup_ins, n_tup_upd, n_tup_hot_upd BETWEEN 100 AND 110 AS hot, n_tup_del,
       n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'st';
SELECT heap_blks_hit > 0 AS hit, heap_blks_read >= 0 AS read FROM pg_statio_user_tables WHERE relname = 'st';
VACUUM ANALYZE st;
SELECT pg_stat_force_next_flush();
SELECT n_live_tup, n_dead_tup, vacuum_count, analyze_count, last_vacuum IS NOT NULL AS vacuumed FROM pg_stat_user_tables WHERE relname = 'st';
SELECT reltuples, relpages = pg_relation_size('st') / 8192 AS relpages, relallvisible = relpages AS relallvisible FROM pg_class WHERE relname = 'st';

-- EXPLAIN counts our pages and our WAL.
CREATE FUNCTION explained(statement text, OUT node text, OUT hit bigint, OUT read bigint, OUT wal bigint) LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, WAL, FORMAT json) ' || statement INTO plan;
    node := plan -> 0 -> 'Plan' ->> 'Node Type';
    hit := plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks';
    read := plan -> 0 -> 'Plan' ->> 'Shared Read Blocks';
    wal := plan -> 0 -> 'Plan' ->> 'WAL Records';
END $$;
SELECT hit >= pg_relation_size('st') / 8192 AS all_hit, read, wal FROM explained('SELECT * FROM st');
SELECT buffers_evicted > 0 AS evicted FROM glassheap_buffercache_evict_relation('st');
SELECT read = pg_relation_size('st') / 8192 AS all_read FROM explained('SELECT * FROM st');
SELECT wal BETWEEN 1 AND 5 AS logged FROM explained('UPDATE st SET n = 5 WHERE id = 700');

-- Shared memory by name, workers by type, locks as always.
SELECT count(*) > 3 AS areas, sum(allocated_size) >= (SELECT pool_size + pool_overhead FROM glassheap_control()) AS all_of_it
  FROM pg_shmem_allocations WHERE name ILIKE 'glassheap%';
SELECT backend_type, wait_event_type IS NOT NULL OR state IS NULL AS waits FROM pg_stat_activity
 WHERE backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer') ORDER BY 1;
BEGIN;
SELECT id FROM st WHERE id = 700 FOR UPDATE;
SELECT locktype, mode, granted FROM pg_locks WHERE relation = 'st'::regclass AND pid = pg_backend_pid();
COMMIT;
SELECT rm_id, rm_name FROM pg_get_wal_resource_managers() WHERE NOT rm_builtin;
DROP FUNCTION explained(text);
DROP TABLE st;
