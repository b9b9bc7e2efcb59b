-- Made of doc/tour.md by tools/check_docs --write; change that page, not this file.
\echo '== 1. Processes'
SELECT backend_type, purpose FROM glassheap_processes
 WHERE backend_type IN ('postmaster', 'checkpointer', 'walwriter', 'glassheap pool writer', 'glassheap checkpoint guardian')
 ORDER BY backend_type;
\echo '== 2. Memory'
SELECT area, kind, bytes > 0 AS present FROM glassheap_memory WHERE kind = 'shared';
\echo '== 3. A table, and its files'
CREATE TABLE trip (id int PRIMARY KEY, what text, seen int) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO trip SELECT g, 'a row of the tour, number ' || g, 0 FROM generate_series(1, 1000) g;
SELECT fork, segment, blocks FROM glassheap_files('trip');
\echo '== 4. A page'
SELECT lower, upper, special, pagesize, version FROM glassheap_page_header('trip', 0);
SELECT lp, lp_off, lp_flags, lp_len FROM glassheap_page_items('trip', 0) WHERE lp <= 3;
SELECT t_ctid, t_attrs FROM glassheap_page_item_attrs('trip', 0) WHERE lp = 2;
\echo '== 5. Versions: MVCC'
UPDATE trip SET seen = seen + 1 WHERE id = 7;
SELECT page, lp, t_ctid, t_xmax <> '0' AS ended, (t_infomask & 8192) > 0 AS made_by_update
  FROM generate_series(0, 8) AS page, glassheap_page_items('trip', page)
 WHERE t_ctid = (SELECT ctid FROM trip WHERE id = 7) ORDER BY page, lp;
BEGIN;
INSERT INTO trip SELECT g, 'never happened', 0 FROM generate_series(2001, 2100) g;
ROLLBACK;
SELECT tuple_count, dead_tuple_count FROM glassheap_stattuple('trip');
\echo '== 6. HOT: updates that indexes do not notice'
CREATE TABLE hot (id int PRIMARY KEY, seen int) USING glassheap WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO hot SELECT g, 0 FROM generate_series(1, 50) g;
UPDATE hot SET seen = 1 WHERE id = 1;
UPDATE hot SET seen = 2 WHERE id = 1;
SELECT lp, lp_flags, t_ctid, (t_infomask2 & 16384) > 0 AS hot_updated, (t_infomask2 & 32768) > 0 AS heap_only
  FROM glassheap_page_items('hot', 0) WHERE lp IN (1, 51, 52);
VACUUM hot;
SELECT lp, lp_flags, lp_off, t_ctid FROM glassheap_page_items('hot', 0) WHERE lp IN (1, 51, 52);
SELECT id, seen FROM hot WHERE id = 1;
\echo '== 7. Where is room? The free space map'
DELETE FROM trip WHERE id BETWEEN 200 AND 400;
SELECT count(*) FILTER (WHERE avail > 4000) AS pages_with_room FROM glassheap_freespace('trip');
VACUUM trip;
SELECT count(*) FILTER (WHERE avail > 4000) AS pages_with_room FROM glassheap_freespace('trip');
SELECT level, fsm_block, slot, covers_from, avail > 4000 AS enough FROM glassheap_fsm_tree('trip') WHERE level > 0;
INSERT INTO trip SELECT g, 'takes the room of a deleted row', 0 FROM generate_series(3001, 3050) g;
SELECT bool_and((ctid::text::point)[0] < 8) AS in_the_gap FROM trip WHERE id > 3000;
\echo '== 8. The visibility map'
VACUUM trip;
SELECT all_visible = count AS all_pages_visible, all_frozen FROM glassheap_visibility_map_summary('trip'),
       (SELECT count(*) FROM glassheap_visibility_map('trip')) c;
UPDATE trip SET seen = 9 WHERE id = 999;
SELECT count(*) FILTER (WHERE NOT all_visible) BETWEEN 1 AND 2 AS only_the_touched FROM glassheap_visibility_map('trip');
VACUUM (FREEZE) trip;
SELECT bool_and(all_visible) AS visible, bool_and(all_frozen) AS frozen FROM glassheap_visibility_map('trip');
SELECT DISTINCT (glassheap_tuple_infomask_flags(t_infomask, t_infomask2)).combined_flags
  FROM glassheap_page_items('trip', 0) WHERE lp_flags = 1;
\echo '== 9. The pool'
CHECKPOINT;
SELECT fork, dirty FROM glassheap_buffercache_relations WHERE relid = 'trip'::regclass AND fork = 'main';
UPDATE trip SET seen = 10 WHERE id = 1;
SELECT dirty > 0 AS dirty_now FROM glassheap_buffercache_relations WHERE relid = 'trip'::regclass AND fork = 'main';
SELECT count(*) > 0 AS memory_is_ahead_of_disk
  FROM generate_series(0, (SELECT max(blkno) FROM glassheap_pages('trip') WHERE dirty)) b,
       LATERAL (SELECT glassheap_get_raw_page('trip', b) AS memory, glassheap_get_disk_page('trip', b) AS disk) p
 WHERE substr(memory, 25) <> substr(disk, 25);
CHECKPOINT;
SELECT dirty FROM glassheap_buffercache_relations WHERE relid = 'trip'::regclass AND fork = 'main';
\echo '== 10. The log'
CREATE EXTENSION IF NOT EXISTS pg_walinspect;
SELECT pg_current_wal_insert_lsn() AS before \gset
INSERT INTO trip VALUES (5000, 'logged', 0);
UPDATE trip SET seen = 1 WHERE id = 5000;
DELETE FROM trip WHERE id = 5000;
SELECT pg_current_wal_flush_lsn() AS after \gset
SELECT record_type, block_ref LIKE '%fork main%' AS names_its_page
  FROM pg_get_wal_records_info(:'before', :'after')
 WHERE resource_manager = 'glassheap' AND record_type ~ '^(INSERT|UPDATE|HOT_UPDATE|DELETE|REMOVE)' ORDER BY start_lsn;
\echo '== 11. Is it all right?'
SELECT count(*) AS damages FROM glassheap_verify('trip', check_toast => true);
SELECT count(*) AS damages FROM glassheap_verify_all();
\echo '== 12. Leaving'
ALTER TABLE trip SET ACCESS METHOD heap;
SELECT count(*) FROM trip;
DROP TABLE trip, hot;
