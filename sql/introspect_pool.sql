-- The pool seen from SQL: view, sums, relations and counters tell the same story; pages can be pushed out on purpose.
CREATE TABLE p (id int, v text) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO p SELECT i, repeat('x', 500) FROM generate_series(1, 1000) i;
VACUUM p;
CHECKPOINT;
SELECT count(*) AS scanned FROM p;

CREATE VIEW frames AS SELECT b.* FROM glassheap_buffercache b
 WHERE b.relfilenode = pg_relation_filenode('p') AND b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database());
-- All pages of the table, each once, none dirty after the checkpoint.
SELECT count(*) = pg_relation_size('p') / 8192 AS all_cached, count(DISTINCT relblocknumber) = count(*) AS once,
       count(*) FILTER (WHERE isdirty) AS dirty, min(usagecount) >= 1 AS used, bool_and(page_lsn > '0/0') AS have_lsn,
       bool_or(io_in_progress) AS io
  FROM frames WHERE relforknumber = 0;
SELECT r.relid, r.datname = current_database() AS this_database, r.fork, r.buffers = (SELECT count(*) FROM frames WHERE relforknumber = 0) AS same,
       r.dirty, (SELECT sum(u) FROM unnest(r.usage_histogram) u) = r.buffers AS histogram
  FROM glassheap_buffercache_relations r WHERE r.relid = 'p'::regclass AND r.fork = 'main';
SELECT count(*) = (SELECT setting::bigint FROM pg_settings WHERE name = 'glassheap.buffers') AS a_row_per_buffer,
       count(*) = max(bufferid) AS numbered_from_1, min(bufferid) FROM glassheap_buffercache;
SELECT s.buffers_used + s.buffers_unused = (SELECT count(*) FROM glassheap_buffercache) AS sums,
       s.usagecount_avg BETWEEN 0 AND 5 AS average FROM glassheap_buffercache_summary() s;
SELECT count(*) AS usage_counts, sum(buffers) = (SELECT buffers_used FROM glassheap_buffercache_summary()) AS same
  FROM glassheap_buffercache_usage_counts();
SELECT hand BETWEEN 1 AND (SELECT count(*) FROM glassheap_buffercache) AS hand, allocations > 0 AS allocations,
       free_buffers >= 0 AS free FROM glassheap_clock;

-- A change makes one page dirty, until it is written.
UPDATE p SET v = upper(v) WHERE id = 1;
SELECT relblocknumber FROM frames WHERE relforknumber = 0 AND isdirty AND relblocknumber = 0;

-- Mark dirty, evict: by buffer, by relation.
CREATE TEMP TABLE victim AS SELECT bufferid FROM frames WHERE relforknumber = 0 AND relblocknumber = 5;
SELECT d.* FROM victim, glassheap_buffercache_mark_dirty(bufferid) d;
SELECT d.* FROM victim, glassheap_buffercache_mark_dirty(bufferid) d;
SELECT e.* FROM victim, glassheap_buffercache_evict(bufferid) e;
SELECT count(*) AS cached FROM frames WHERE relforknumber = 0 AND relblocknumber = 5;
SELECT buffers_dirtied > 60 AS dirtied, buffers_skipped FROM glassheap_buffercache_mark_dirty_relation('p');
SELECT buffers_dirtied, buffers_already_dirty > 60 AS already FROM glassheap_buffercache_mark_dirty_relation('p');
-- A page that a cursor holds stays.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM p;
FETCH 1 FROM c;
SELECT count(*) AS pinned FROM frames WHERE pinning_backends > 0 AND relforknumber = 0;
SELECT buffers_evicted > 60 AS evicted, buffers_flushed > 60 AS flushed, buffers_skipped FROM glassheap_buffercache_evict_relation('p');
SELECT relblocknumber FROM frames WHERE relforknumber = 0;
FETCH 1 FROM c;
COMMIT;
SELECT buffers_evicted, buffers_skipped FROM glassheap_buffercache_evict_relation('p');
SELECT count(*) AS left FROM frames;
SELECT count(*), md5(string_agg(v, '' ORDER BY id)) = md5(upper(repeat('x', 500)) || repeat(repeat('x', 500), 999)) AS intact FROM p;

-- Memory and disk: the same bytes once written, different before.
UPDATE p SET v = lower(v) WHERE id = 1;
SELECT glassheap_get_raw_page('p', 40) = glassheap_get_disk_page('p', 40) AS untouched_same;
SELECT buffers_evicted > 0 AS evicted FROM glassheap_buffercache_evict_relation('p');
SELECT count(*) FILTER (WHERE (h.r).lower <> (h.d).lower) AS different_headers
  FROM (SELECT glassheap_page_header(glassheap_get_raw_page('p', i)) AS r, glassheap_page_header(glassheap_get_disk_page('p', i)) AS d
          FROM generate_series(0, pg_relation_size('p') / 8192 - 1) i) h;

-- Prewarm.
SELECT buffers_evicted >= 0 AS evicted FROM glassheap_buffercache_evict_relation('p');
SELECT glassheap_prewarm('p', 'prefetch') = pg_relation_size('p') / 8192 AS prefetched, (SELECT count(*) FROM frames) AS cached;
SELECT glassheap_prewarm('p', 'read') = pg_relation_size('p') / 8192 AS read, (SELECT count(*) FROM frames) AS cached;
SELECT glassheap_prewarm('p', 'buffer', 'main', 3, 12);
SELECT min(relblocknumber), max(relblocknumber), count(*) FROM frames;
SELECT glassheap_prewarm('p') = pg_relation_size('p') / 8192 AS warmed;
SELECT glassheap_prewarm('p', fork => 'fsm'), glassheap_prewarm('p', fork => 'vm');
SELECT relforknumber, count(*) = CASE relforknumber WHEN 0 THEN pg_relation_size('p') / 8192 ELSE 3 END AS complete FROM frames GROUP BY 1 ORDER BY 1;

-- The counters of the table.
SELECT pg_stat_force_next_flush();
SELECT relid, blocks = pg_relation_size('p') / 8192 AS blocks, resident_percent, writes > 0 AS writes, evictions >= 0 AS evictions,
       extensions >= blocks AS extensions FROM glassheap_stat_tables WHERE relname = 'p';
SELECT sum(hits) > 0 AS hits, sum(reads) > 0 AS reads, sum(writes) > 0 AS writes, sum(evictions) >= 0 AS evictions,
       count(*) AS rows, count(DISTINCT backend_type) AS backends, count(DISTINCT context) AS contexts, bool_and(op_bytes = 8192) AS op_bytes
  FROM glassheap_stat_io;
SELECT hits > 0 AS hits, reads > 0 AS reads, stats_reset <= now() AS since FROM glassheap_stat_totals();

-- Workers.
SELECT pid > 0 AS runs, buffers_alloc > 0 AS alloc, rounds > 0 AS rounds, last_round BETWEEN pg_postmaster_start_time() AND clock_timestamp() AS recent FROM glassheap_stat_bgwriter;
SELECT pid > 0 AS runs, turns > 0 AS turns, flushes > 0 AS flushes, mode = 'write-back' AS guarded, redo_lsn > '0/0' AS redo, last_turn BETWEEN pg_postmaster_start_time() AND clock_timestamp() AS recent,
       flush_lag_bytes >= 0 AS lag, waiting_for, unwritable FROM glassheap_stat_checkpointer;
SELECT role, backend_type, purpose IS NOT NULL AS explained FROM glassheap_processes
 WHERE role IN ('postmaster', 'glassheap') AND backend_type !~ 'prewarm|vacuum' ORDER BY 1, 2;
SELECT count(*) = count(DISTINCT pid) AS each_once, bool_and(purpose IS NOT NULL OR role = 'other') AS all_explained FROM glassheap_processes;
SELECT area, kind, bytes > 0 AS has_bytes, used_bytes <= bytes AS fits FROM glassheap_memory;
SELECT format_version, pool_size = (SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'glassheap.buffers') AS pool_size,
       pool_overhead < 320 * (pool_size / 8192) + 512 * 1024 AS modest_overhead, rmgr_id, write_back, in_recovery FROM glassheap_control();
SELECT version = glassheap_version() AS version, postgresql_major = current_setting('server_version_num')::int / 10000 AS major, block_size
  FROM glassheap_build_info();

-- A temporary table's pages are counted as local, and are not in the view.
CREATE TEMP TABLE tp (id int) USING glassheap;
INSERT INTO tp SELECT generate_series(1, 1000);
SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('tp');
SELECT count(*) AS pages, bool_and(readable) AS readable, sum(live) AS live, bool_or(cached) AS in_shared_pool FROM glassheap_pages('tp');

DROP VIEW frames;
DROP TABLE p, tp, victim;
