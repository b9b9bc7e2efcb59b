/* glassheap--1.0.sql */
-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION glassheap" to load this file. \quit

-- Nothing below works unless the library is in shared_preload_libraries: say so at once, with the line to add.
CREATE FUNCTION glassheap_require_preload()
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_require_preload'
LANGUAGE C STRICT;
DO $$ BEGIN PERFORM glassheap_require_preload(); END $$;
DROP FUNCTION glassheap_require_preload();

CREATE FUNCTION glassheap_tableam_handler(internal)
RETURNS table_am_handler
AS 'MODULE_PATHNAME', 'glassheap_tableam_handler'
LANGUAGE C STRICT;
COMMENT ON FUNCTION glassheap_tableam_handler(internal) IS 'handler of access method glassheap; not to be called';

CREATE ACCESS METHOD glassheap TYPE TABLE HANDLER glassheap_tableam_handler;
COMMENT ON ACCESS METHOD glassheap IS 'heap rebuilt on its own buffer pool';

--
-- Privileges by class, as contrib has them:
--   maps and sums of one table   pg_stat_scan_tables
--   state of the pool            pg_monitor
--   raw bytes of pages           superuser, checked in C
--   verification                 nobody but superusers until granted
--   row locks, prewarm           SELECT on the table (row locks: or pg_stat_scan_tables), checked in C
--   what changes state           superuser, checked in C or by REVOKE
--

--
-- Which glassheap, and in which state
--
CREATE FUNCTION glassheap_version()
RETURNS text
AS 'MODULE_PATHNAME', 'glassheap_version'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_version() IS 'version of the library';

CREATE FUNCTION glassheap_build_info(
    OUT version text, OUT postgresql text, OUT postgresql_major int4, OUT compiler text,
    OUT checks int4, OUT block_size int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_build_info'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_build_info() IS 'how the library was built';

CREATE FUNCTION glassheap_control(
    OUT format_version int4, OUT pool_size bigint, OUT pool_overhead bigint, OUT rmgr_id int4,
    OUT last_checkpoint_redo pg_lsn, OUT last_flush_lsn pg_lsn, OUT write_back bool, OUT in_recovery bool,
    OUT data_checksums bool, OUT features text[])
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_control'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_control() IS 'the engine in one row: pool, checkpoints, write-back';

CREATE FUNCTION glassheap_foreign_writers(
    OUT library text, OUT function text, OUT answer text, OUT entries int4, OUT guarded int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_foreign_writers'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION glassheap_foreign_writers() IS
    'libraries loaded into this process that import heap''s own functions, and whether calls lead to glassheap';
REVOKE ALL ON FUNCTION glassheap_foreign_writers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_foreign_writers() TO pg_monitor;

CREATE VIEW glassheap_tables AS
SELECT c.oid::regclass AS relid, n.nspname AS schemaname, c.relname, c.relkind, c.relpersistence,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relfilenode, c.reltablespace, c.relfrozenxid,
       c.relminmxid
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_am a ON a.oid = c.relam AND a.amtype = 't' AND a.amname = 'glassheap'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace;
COMMENT ON VIEW glassheap_tables IS 'glassheap tables, materialized views and partitions of this database';
COMMENT ON COLUMN glassheap_tables.relid IS 'the table';
COMMENT ON COLUMN glassheap_tables.schemaname IS 'its schema';
COMMENT ON COLUMN glassheap_tables.relname IS 'its name';
COMMENT ON COLUMN glassheap_tables.relkind IS 'r table, m materialized view';
COMMENT ON COLUMN glassheap_tables.relpersistence IS 'p permanent, u unlogged, t temporary';
COMMENT ON COLUMN glassheap_tables.owner IS 'its owner';
COMMENT ON COLUMN glassheap_tables.relfilenode IS 'number of its file';
COMMENT ON COLUMN glassheap_tables.reltablespace IS 'its tablespace; 0: the database''s';
COMMENT ON COLUMN glassheap_tables.relfrozenxid IS 'no older transaction id is in the table unfrozen';
COMMENT ON COLUMN glassheap_tables.relminmxid IS 'no older multixact id is in the table';
GRANT SELECT ON glassheap_tables TO PUBLIC;

--
-- Free space map
--
CREATE FUNCTION glassheap_freespace(regclass, bigint)
RETURNS int2
AS 'MODULE_PATHNAME', 'glassheap_freespace_block'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_freespace(regclass, bigint) IS 'free bytes of one page by the free space map';

CREATE FUNCTION glassheap_freespace(rel regclass, OUT blkno bigint, OUT avail int2, OUT actual int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_freespace'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION glassheap_freespace(regclass)
    IS 'free bytes of each page, by the free space map and by the page itself';

CREATE FUNCTION glassheap_freespace_summary(rel regclass, OUT category int2, OUT blocks bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_freespace_summary'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION glassheap_freespace_summary(regclass) IS 'number of pages by category of free space';

CREATE FUNCTION glassheap_fsm_check(rel regclass, OUT blkno bigint, OUT recorded int2, OUT actual int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_fsm_check'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION glassheap_fsm_check(regclass)
    IS 'pages whose entry in the free space map is not what the page has';

CREATE FUNCTION glassheap_fsm_tree(rel regclass, OUT level int4, OUT fsm_block bigint, OUT slot int4,
    OUT value int2, OUT covers_from bigint, OUT covers_to bigint, OUT avail int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_fsm_tree'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION glassheap_fsm_tree(regclass) IS 'the free space map as a tree, slot by slot';

REVOKE ALL ON FUNCTION glassheap_freespace(regclass, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_freespace(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_freespace_summary(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_fsm_check(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_fsm_tree(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_freespace(regclass, bigint) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_freespace(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_freespace_summary(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_fsm_check(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_fsm_tree(regclass) TO pg_stat_scan_tables;

--
-- Visibility map
--
CREATE FUNCTION glassheap_visibility_map(regclass, blkno bigint, OUT all_visible boolean, OUT all_frozen boolean)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_visibility_map'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_visibility_map(regclass, bigint) IS 'visibility map bits of one page';

CREATE FUNCTION glassheap_visibility(regclass, blkno bigint, OUT all_visible boolean, OUT all_frozen boolean,
    OUT pd_all_visible boolean)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_visibility'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_visibility(regclass, bigint)
    IS 'visibility map bits of one page, and the page''s own flag';

CREATE FUNCTION glassheap_visibility_map(regclass, OUT blkno bigint, OUT all_visible boolean,
    OUT all_frozen boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_visibility_map_rel'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION glassheap_visibility_map(regclass) IS 'visibility map bits of each page';

CREATE FUNCTION glassheap_visibility(regclass, OUT blkno bigint, OUT all_visible boolean, OUT all_frozen boolean,
    OUT pd_all_visible boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_visibility_rel'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION glassheap_visibility(regclass) IS 'visibility map bits of each page, and the page''s own flag';

CREATE FUNCTION glassheap_visibility_map_summary(regclass, OUT all_visible bigint, OUT all_frozen bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_visibility_map_summary'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_visibility_map_summary(regclass) IS 'number of all-visible and of all-frozen pages';

CREATE FUNCTION glassheap_check_frozen(regclass, OUT t_ctid tid)
RETURNS SETOF tid
AS 'MODULE_PATHNAME', 'glassheap_check_frozen'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION glassheap_check_frozen(regclass) IS 'damage: rows that are not frozen on all-frozen pages';

CREATE FUNCTION glassheap_check_visible(regclass, OUT t_ctid tid)
RETURNS SETOF tid
AS 'MODULE_PATHNAME', 'glassheap_check_visible'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION glassheap_check_visible(regclass) IS 'damage: rows that not everybody sees on all-visible pages';

CREATE FUNCTION glassheap_truncate_visibility_map(regclass)
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_truncate_visibility_map'
LANGUAGE C STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_truncate_visibility_map(regclass)
    IS 'throws the visibility map away; VACUUM makes a new one';

CREATE FUNCTION glassheap_repair_visibility_map(regclass)
RETURNS bigint
AS 'MODULE_PATHNAME', 'glassheap_repair_visibility_map'
LANGUAGE C STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_repair_visibility_map(regclass) IS 'clears wrong bits of the visibility map, here and on standbys; returns how many pages had some';

REVOKE ALL ON FUNCTION glassheap_visibility_map(regclass, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_visibility(regclass, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_visibility_map(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_visibility(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_visibility_map_summary(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_check_frozen(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_check_visible(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_truncate_visibility_map(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_repair_visibility_map(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_visibility_map(regclass, bigint) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_visibility(regclass, bigint) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_visibility_map(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_visibility(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_visibility_map_summary(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_check_frozen(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_check_visible(regclass) TO pg_stat_scan_tables;

--
-- The pool
--
CREATE FUNCTION glassheap_buffercache_pages(OUT bufferid int4, OUT relfilenode oid, OUT reltablespace oid,
    OUT reldatabase oid, OUT relforknumber int2, OUT relblocknumber int8, OUT isdirty bool,
    OUT usagecount int2, OUT pinning_backends int4, OUT page_lsn pg_lsn, OUT io_in_progress bool,
    OUT last_victim_pass bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_pages'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 16384;
COMMENT ON FUNCTION glassheap_buffercache_pages() IS 'rows of glassheap_buffercache';

CREATE VIEW glassheap_buffercache AS SELECT * FROM glassheap_buffercache_pages();
COMMENT ON VIEW glassheap_buffercache IS 'the pool, buffer by buffer; columns of an unused one are null';
COMMENT ON COLUMN glassheap_buffercache.bufferid IS 'number of the buffer, from 1';
COMMENT ON COLUMN glassheap_buffercache.relfilenode IS 'number of the relation''s file';
COMMENT ON COLUMN glassheap_buffercache.reltablespace IS 'tablespace of the relation';
COMMENT ON COLUMN glassheap_buffercache.reldatabase IS 'database of the relation';
COMMENT ON COLUMN glassheap_buffercache.relforknumber IS 'fork: 0 main, 1 free space map';
COMMENT ON COLUMN glassheap_buffercache.relblocknumber IS 'block within the fork';
COMMENT ON COLUMN glassheap_buffercache.isdirty IS 'changed and not yet written';
COMMENT ON COLUMN glassheap_buffercache.usagecount IS 'uses the replacement clock has seen lately, 0 to 5';
COMMENT ON COLUMN glassheap_buffercache.pinning_backends IS 'processes that hold the page in place';
COMMENT ON COLUMN glassheap_buffercache.page_lsn IS 'WAL position of its last change, read without a latch';
COMMENT ON COLUMN glassheap_buffercache.io_in_progress IS 'being read or written now';
COMMENT ON COLUMN glassheap_buffercache.last_victim_pass
    IS 'pass of the clock in which the buffer was last given to another page';

CREATE FUNCTION glassheap_buffercache_summary(OUT buffers_used int4, OUT buffers_unused int4,
    OUT buffers_dirty int4, OUT buffers_pinned int4, OUT usagecount_avg float8)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_summary'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_buffercache_summary() IS 'the pool in one row';

CREATE FUNCTION glassheap_buffercache_usage_counts(OUT usage_count int4, OUT buffers int4, OUT dirty int4,
    OUT pinned int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_usage_counts'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 6;
COMMENT ON FUNCTION glassheap_buffercache_usage_counts() IS 'the pool''s buffers by usage count';

CREATE FUNCTION glassheap_buffercache_forks(OUT reltablespace oid, OUT reldatabase oid, OUT relfilenode oid,
    OUT fork text, OUT buffers int4, OUT dirty int4, OUT pinned int4, OUT usage_histogram int4[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_forks'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION glassheap_buffercache_forks() IS 'rows of glassheap_buffercache_relations';

CREATE VIEW glassheap_buffercache_relations AS
SELECT CASE WHEN d.datname = pg_catalog.current_database()
            THEN pg_catalog.pg_filenode_relation(f.reltablespace, f.relfilenode) END AS relid,
       d.datname, f.fork, f.buffers, f.dirty, f.pinned, f.usage_histogram, f.relfilenode, f.reltablespace
  FROM glassheap_buffercache_forks() f
  LEFT JOIN pg_catalog.pg_database d ON d.oid = f.reldatabase;
COMMENT ON VIEW glassheap_buffercache_relations IS 'who occupies the pool, by relation and fork';
COMMENT ON COLUMN glassheap_buffercache_relations.relid IS 'the relation; null if it is of another database';
COMMENT ON COLUMN glassheap_buffercache_relations.datname IS 'its database';
COMMENT ON COLUMN glassheap_buffercache_relations.fork IS 'main or fsm';
COMMENT ON COLUMN glassheap_buffercache_relations.buffers IS 'buffers it occupies';
COMMENT ON COLUMN glassheap_buffercache_relations.dirty IS 'of these, changed and not yet written';
COMMENT ON COLUMN glassheap_buffercache_relations.pinned IS 'of these, held in place by a process';
COMMENT ON COLUMN glassheap_buffercache_relations.usage_histogram IS 'of these, by usage count 0 to 5';
COMMENT ON COLUMN glassheap_buffercache_relations.relfilenode IS 'number of its file';
COMMENT ON COLUMN glassheap_buffercache_relations.reltablespace IS 'its tablespace';

CREATE FUNCTION glassheap_clock_state(OUT hand int4, OUT passes bigint, OUT allocations bigint,
    OUT victims bigint, OUT free_buffers int4, OUT writer_ahead int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_clock_state'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_clock_state() IS 'row of glassheap_clock';

CREATE VIEW glassheap_clock AS SELECT * FROM glassheap_clock_state();
COMMENT ON VIEW glassheap_clock IS 'the clock that chooses which page leaves the pool';
COMMENT ON COLUMN glassheap_clock.hand IS 'buffer the hand points to';
COMMENT ON COLUMN glassheap_clock.passes IS 'how often the hand went round';
COMMENT ON COLUMN glassheap_clock.allocations IS 'frames asked for';
COMMENT ON COLUMN glassheap_clock.victims IS 'pages that left for others';
COMMENT ON COLUMN glassheap_clock.free_buffers IS 'buffers never used';
COMMENT ON COLUMN glassheap_clock.writer_ahead IS 'how many buffers the writer is ahead of the hand';

CREATE FUNCTION glassheap_buffercache_evict(int4, OUT buffer_evicted bool, OUT buffer_flushed bool)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_evict'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_evict(int4) IS 'for tests: pushes one page out of the pool';

CREATE FUNCTION glassheap_buffercache_evict_relation(regclass, OUT buffers_evicted int4,
    OUT buffers_flushed int4, OUT buffers_skipped int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_evict_relation'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_evict_relation(regclass)
    IS 'for tests: pushes all pages of a table out of the pool';

CREATE FUNCTION glassheap_buffercache_evict_all(OUT buffers_evicted int4, OUT buffers_flushed int4,
    OUT buffers_skipped int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_evict_all'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_evict_all() IS 'for tests: pushes all pages out of the pool';

CREATE FUNCTION glassheap_buffercache_mark_dirty(int4, OUT buffer_dirtied bool, OUT buffer_already_dirty bool)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_mark_dirty'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_mark_dirty(int4) IS 'for tests: marks one buffer dirty';

CREATE FUNCTION glassheap_buffercache_mark_dirty_relation(regclass, OUT buffers_dirtied int4,
    OUT buffers_already_dirty int4, OUT buffers_skipped int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_mark_dirty_relation'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_mark_dirty_relation(regclass)
    IS 'for tests: marks all buffers of a table dirty';

CREATE FUNCTION glassheap_buffercache_mark_dirty_all(OUT buffers_dirtied int4, OUT buffers_already_dirty int4,
    OUT buffers_skipped int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_buffercache_mark_dirty_all'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_buffercache_mark_dirty_all() IS 'for tests: marks all buffers dirty';

REVOKE ALL ON FUNCTION glassheap_buffercache_pages() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_summary() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_usage_counts() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_forks() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_clock_state() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_evict(int4) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_evict_relation(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_evict_all() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_mark_dirty(int4) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_mark_dirty_relation(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_buffercache_mark_dirty_all() FROM PUBLIC;
REVOKE ALL ON glassheap_buffercache, glassheap_buffercache_relations, glassheap_clock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_buffercache_pages() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_buffercache_summary() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_buffercache_usage_counts() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_buffercache_forks() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_clock_state() TO pg_monitor;
GRANT SELECT ON glassheap_buffercache, glassheap_buffercache_relations, glassheap_clock TO pg_monitor;

--
-- Pages, byte by byte (superuser, checked in C)
--
CREATE FUNCTION glassheap_get_raw_page(regclass, bigint)
RETURNS bytea
AS 'MODULE_PATHNAME', 'glassheap_get_raw_page'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_get_raw_page(regclass, bigint) IS 'bytes of a page of the main fork as it is in memory';

CREATE FUNCTION glassheap_get_raw_page(regclass, text, bigint)
RETURNS bytea
AS 'MODULE_PATHNAME', 'glassheap_get_raw_page_fork'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_get_raw_page(regclass, text, bigint)
    IS 'bytes of a page of any fork as it is in memory';

CREATE FUNCTION glassheap_get_disk_page(regclass, bigint)
RETURNS bytea
AS 'MODULE_PATHNAME', 'glassheap_get_disk_page'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_get_disk_page(regclass, bigint)
    IS 'bytes of a page of the main fork as it is in the file';

CREATE FUNCTION glassheap_get_disk_page(regclass, text, bigint)
RETURNS bytea
AS 'MODULE_PATHNAME', 'glassheap_get_disk_page_fork'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_get_disk_page(regclass, text, bigint)
    IS 'bytes of a page of any fork as it is in the file';

CREATE FUNCTION glassheap_page_header(page bytea, OUT lsn pg_lsn, OUT checksum smallint, OUT flags smallint,
    OUT lower int, OUT upper int, OUT special int, OUT pagesize int, OUT version smallint, OUT prune_xid xid)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_page_header'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_page_header(bytea) IS 'header of a page given as bytes';

CREATE FUNCTION glassheap_page_header(rel regclass, blkno bigint, OUT lsn pg_lsn, OUT checksum smallint,
    OUT flags smallint, OUT lower int, OUT upper int, OUT special int, OUT pagesize int, OUT version smallint,
    OUT prune_xid xid)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_page_header_of'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_page_header(regclass, bigint) IS 'header of a table''s page';

CREATE FUNCTION glassheap_page_checksum(page bytea, blkno bigint)
RETURNS smallint
AS 'MODULE_PATHNAME', 'glassheap_page_checksum'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_page_checksum(bytea, bigint)
    IS 'what the checksum of these bytes should be at this block';

CREATE FUNCTION glassheap_fsm_page_contents(page bytea)
RETURNS text
AS 'MODULE_PATHNAME', 'glassheap_fsm_page_contents'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_fsm_page_contents(bytea) IS 'nodes of a free space map page given as bytes';

CREATE FUNCTION glassheap_fsm_page_contents(rel regclass, blkno bigint)
RETURNS text
AS 'MODULE_PATHNAME', 'glassheap_fsm_page_contents_of'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_fsm_page_contents(regclass, bigint) IS 'nodes of a page of a table''s free space map';

CREATE FUNCTION glassheap_page_items(page bytea, OUT lp smallint, OUT lp_off smallint, OUT lp_flags smallint,
    OUT lp_len smallint, OUT t_xmin xid, OUT t_xmax xid, OUT t_field3 int4, OUT t_ctid tid,
    OUT t_infomask2 integer, OUT t_infomask integer, OUT t_hoff smallint, OUT t_bits text, OUT t_oid oid,
    OUT t_data bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_page_items'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION glassheap_page_items(bytea) IS 'line pointers and tuple headers of a page given as bytes';

CREATE FUNCTION glassheap_page_items(rel regclass, blkno bigint, OUT lp smallint, OUT lp_off smallint,
    OUT lp_flags smallint, OUT lp_len smallint, OUT t_xmin xid, OUT t_xmax xid, OUT t_field3 int4,
    OUT t_ctid tid, OUT t_infomask2 integer, OUT t_infomask integer, OUT t_hoff smallint, OUT t_bits text,
    OUT t_oid oid, OUT t_data bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_page_items_of'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION glassheap_page_items(regclass, bigint) IS 'line pointers and tuple headers of a table''s page';

CREATE FUNCTION glassheap_page_item_attrs(page bytea, rel regclass, do_detoast bool DEFAULT false,
    OUT lp smallint, OUT lp_off smallint, OUT lp_flags smallint, OUT lp_len smallint, OUT t_xmin xid,
    OUT t_xmax xid, OUT t_field3 int4, OUT t_ctid tid, OUT t_infomask2 integer, OUT t_infomask integer,
    OUT t_hoff smallint, OUT t_bits text, OUT t_oid oid, OUT t_attrs bytea[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_page_item_attrs'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION glassheap_page_item_attrs(bytea, regclass, bool)
    IS 'tuples of a page given as bytes, attribute by attribute';

CREATE FUNCTION glassheap_page_item_attrs(rel regclass, blkno bigint, do_detoast bool DEFAULT false,
    OUT lp smallint, OUT lp_off smallint, OUT lp_flags smallint, OUT lp_len smallint, OUT t_xmin xid,
    OUT t_xmax xid, OUT t_field3 int4, OUT t_ctid tid, OUT t_infomask2 integer, OUT t_infomask integer,
    OUT t_hoff smallint, OUT t_bits text, OUT t_oid oid, OUT t_attrs bytea[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_page_item_attrs_of'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION glassheap_page_item_attrs(regclass, bigint, bool)
    IS 'tuples of a table''s page, attribute by attribute';

-- A block number written without a cast is an integer, which would also pass for a regclass: an exact match decides.
CREATE FUNCTION glassheap_page_item_attrs(rel regclass, blkno integer, do_detoast bool DEFAULT false,
    OUT lp smallint, OUT lp_off smallint, OUT lp_flags smallint, OUT lp_len smallint, OUT t_xmin xid,
    OUT t_xmax xid, OUT t_field3 int4, OUT t_ctid tid, OUT t_infomask2 integer, OUT t_infomask integer,
    OUT t_hoff smallint, OUT t_bits text, OUT t_oid oid, OUT t_attrs bytea[])
RETURNS SETOF record
LANGUAGE SQL STRICT PARALLEL RESTRICTED ROWS 100
BEGIN ATOMIC
    SELECT a.* FROM glassheap_page_item_attrs(glassheap_page_item_attrs.rel,
        glassheap_page_item_attrs.blkno::bigint, glassheap_page_item_attrs.do_detoast) a;
END;
COMMENT ON FUNCTION glassheap_page_item_attrs(regclass, integer, bool)
    IS 'tuples of a table''s page, attribute by attribute';

CREATE FUNCTION glassheap_tuple_data_split(rel regclass, t_data bytea, t_infomask integer,
    t_infomask2 integer, t_bits text, do_detoast bool DEFAULT false)
RETURNS bytea[]
AS 'MODULE_PATHNAME', 'glassheap_tuple_data_split'
LANGUAGE C PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_tuple_data_split(regclass, bytea, integer, integer, text, bool)
    IS 'splits the bytes of a tuple into attributes';

CREATE FUNCTION glassheap_tuple_infomask_flags(t_infomask integer, t_infomask2 integer, OUT raw_flags text[],
    OUT combined_flags text[])
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_tuple_infomask_flags'
LANGUAGE C STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_tuple_infomask_flags(integer, integer) IS 'names of a tuple''s flag bits';

--
-- Tuple statistics
--
CREATE FUNCTION glassheap_stattuple(reloid regclass, OUT table_len bigint, OUT tuple_count bigint,
    OUT tuple_len bigint, OUT tuple_percent float8, OUT dead_tuple_count bigint, OUT dead_tuple_len bigint,
    OUT dead_tuple_percent float8, OUT free_space bigint, OUT free_percent float8)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stattuple'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stattuple(regclass) IS 'live, dead and free space of a table, counted';

CREATE FUNCTION glassheap_stattuple_approx(reloid regclass, OUT table_len bigint, OUT scanned_percent float8,
    OUT approx_tuple_count bigint, OUT approx_tuple_len bigint, OUT approx_tuple_percent float8,
    OUT dead_tuple_count bigint, OUT dead_tuple_len bigint, OUT dead_tuple_percent float8,
    OUT approx_free_space bigint, OUT approx_free_percent float8)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stattuple_approx'
LANGUAGE C STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stattuple_approx(regclass)
    IS 'live, dead and free space of a table, estimated where pages are all-visible';

CREATE FUNCTION glassheap_files(rel regclass, OUT fork text, OUT segment int4, OUT path text, OUT bytes bigint,
    OUT blocks bigint, OUT relfilenode oid, OUT tablespace text, OUT modified timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_files'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 4;
COMMENT ON FUNCTION glassheap_files(regclass) IS 'files that a table consists of now';

REVOKE ALL ON FUNCTION glassheap_stattuple(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stattuple_approx(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_files(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_stattuple(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_stattuple_approx(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_files(regclass) TO pg_stat_scan_tables;

--
-- Pages and pictures of one table
--
CREATE FUNCTION glassheap_pages(rel regclass, OUT blkno bigint, OUT free int4, OUT live int4, OUT dead int4,
    OUT redirected int4, OUT unused int4, OUT heap_only int4, OUT all_visible bool, OUT all_frozen bool,
    OUT pd_all_visible bool, OUT cached bool, OUT dirty bool, OUT usagecount int4, OUT pins int4,
    OUT newest_xid xid, OUT prune_xid xid, OUT all_committed_upto xid, OUT lsn pg_lsn, OUT readable bool)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_pages'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION glassheap_pages(regclass) IS 'one row for each page of a table: rows, bits, buffer';

CREATE FUNCTION glassheap_map(rel regclass, width int4 DEFAULT 64)
RETURNS SETOF text
AS 'MODULE_PATHNAME', 'glassheap_map'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION glassheap_map(regclass, int4) IS 'a table as characters: free space, map bits, pool';

CREATE FUNCTION glassheap_report(rel regclass, blkno bigint DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'glassheap_report'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_report(regclass, bigint) IS 'a table as one HTML page with pictures';

REVOKE ALL ON FUNCTION glassheap_pages(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_map(regclass, int4) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_report(regclass, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_pages(regclass) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_map(regclass, int4) TO pg_stat_scan_tables;
GRANT EXECUTE ON FUNCTION glassheap_report(regclass, bigint) TO pg_stat_scan_tables;

--
-- Verification
--
CREATE FUNCTION glassheap_verify(relation regclass, on_error_stop bool DEFAULT false,
    check_toast bool DEFAULT false, skip text DEFAULT 'none', startblock bigint DEFAULT NULL,
    endblock bigint DEFAULT NULL, OUT blkno bigint, OUT offnum int, OUT attnum int, OUT msg text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_verify'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION glassheap_verify(regclass, bool, bool, text, bigint, bigint)
    IS 'damage found in a table; no rows: all right';

CREATE FUNCTION glassheap_verify_all(on_error_stop bool DEFAULT false, check_toast bool DEFAULT true,
    OUT relid regclass, OUT blkno bigint, OUT offnum int, OUT attnum int, OUT msg text)
RETURNS SETOF record
LANGUAGE SQL VOLATILE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT t.relid, v.blkno, v.offnum, v.attnum, v.msg
      FROM glassheap_tables t
      CROSS JOIN LATERAL glassheap_verify(t.relid, glassheap_verify_all.on_error_stop,
                                          glassheap_verify_all.check_toast) v
     WHERE t.relkind <> 'p'
       AND (t.relpersistence <> 't' OR NOT pg_catalog.pg_is_other_temp_schema(
               (SELECT c.relnamespace FROM pg_catalog.pg_class c WHERE c.oid = t.relid)))
     ORDER BY t.schemaname, t.relname, v.blkno, v.offnum, v.attnum;
END;
COMMENT ON FUNCTION glassheap_verify_all(bool, bool)
    IS 'damage found in any glassheap table of the database; no rows: all right';

REVOKE ALL ON FUNCTION glassheap_verify(regclass, bool, bool, text, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_verify_all(bool, bool) FROM PUBLIC;

--
-- A table in two pools (doc/extensions.md)
--
CREATE FUNCTION glassheap_resolve(relation regclass, keep text DEFAULT NULL,
    OUT fork text, OUT block bigint, OUT glassheap_in text, OUT glassheap_lsn pg_lsn,
    OUT shared_buffers_in text, OUT shared_buffers_lsn pg_lsn, OUT rows_differing int4, OUT kept text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_resolve'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_resolve(regclass, text) IS 'a table found in two buffer pools: shows both copies, or keeps the chosen one';

REVOKE ALL ON FUNCTION glassheap_resolve(regclass, text) FROM PUBLIC;

--
-- Row locks, prewarm
--
CREATE FUNCTION glassheap_rowlocks(rel regclass, OUT locked_row tid, OUT locker xid, OUT multi bool,
    OUT xids xid[], OUT modes text[], OUT pids int[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_rowlocks'
LANGUAGE C STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION glassheap_rowlocks(regclass) IS 'rows that are locked or being changed, by whom and how';

CREATE FUNCTION glassheap_prewarm(regclass, mode text DEFAULT 'buffer', fork text DEFAULT 'main',
    first_block int8 DEFAULT NULL, last_block int8 DEFAULT NULL)
RETURNS int8
AS 'MODULE_PATHNAME', 'glassheap_prewarm'
LANGUAGE C PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_prewarm(regclass, text, text, int8, int8) IS 'loads pages of a table into the pool';

CREATE FUNCTION glassheap_autoprewarm_dump_now()
RETURNS int8
AS 'MODULE_PATHNAME', 'glassheap_autoprewarm_dump_now'
LANGUAGE C STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_autoprewarm_dump_now() IS 'saves now which pages are in the pool';
REVOKE ALL ON FUNCTION glassheap_autoprewarm_dump_now() FROM PUBLIC;

--
-- What the pool has done
--
CREATE FUNCTION glassheap_stat_io_rows(OUT backend_type text, OUT object text, OUT context text, OUT reads bigint,
    OUT read_time float8, OUT writes bigint, OUT write_time float8, OUT writebacks bigint,
    OUT writeback_time float8, OUT extends bigint, OUT extend_time float8, OUT op_bytes bigint,
    OUT hits bigint, OUT evictions bigint, OUT reuses bigint, OUT fsyncs bigint, OUT fsync_time float8,
    OUT stats_reset timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'glassheap_stat_io_rows'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 28;
COMMENT ON FUNCTION glassheap_stat_io_rows() IS 'rows of glassheap_stat_io';

CREATE VIEW glassheap_stat_io AS SELECT * FROM glassheap_stat_io_rows();
COMMENT ON VIEW glassheap_stat_io
    IS 'what the pool read and wrote, by kind of process and of access (pg_stat_io of PostgreSQL 16)';
COMMENT ON COLUMN glassheap_stat_io.backend_type IS 'kind of process';
COMMENT ON COLUMN glassheap_stat_io.object IS 'what was read and written: relation';
COMMENT ON COLUMN glassheap_stat_io.context IS 'normal, vacuum, bulkread or bulkwrite';
COMMENT ON COLUMN glassheap_stat_io.reads IS 'pages read from files';
COMMENT ON COLUMN glassheap_stat_io.read_time IS 'milliseconds spent on it, with track_io_timing';
COMMENT ON COLUMN glassheap_stat_io.writes IS 'pages written to files';
COMMENT ON COLUMN glassheap_stat_io.write_time IS 'milliseconds spent on it, with track_io_timing';
COMMENT ON COLUMN glassheap_stat_io.writebacks IS 'pages the kernel was asked to write out';
COMMENT ON COLUMN glassheap_stat_io.writeback_time IS 'milliseconds spent on it, with track_io_timing';
COMMENT ON COLUMN glassheap_stat_io.extends IS 'pages added to files';
COMMENT ON COLUMN glassheap_stat_io.extend_time IS 'milliseconds spent on it, with track_io_timing';
COMMENT ON COLUMN glassheap_stat_io.op_bytes IS 'bytes of one operation';
COMMENT ON COLUMN glassheap_stat_io.hits IS 'pages found in the pool';
COMMENT ON COLUMN glassheap_stat_io.evictions IS 'pages that left the pool for others';
COMMENT ON COLUMN glassheap_stat_io.reuses IS 'buffers of a ring used again; null without a ring';
COMMENT ON COLUMN glassheap_stat_io.fsyncs IS 'null: the checkpointer syncs the files';
COMMENT ON COLUMN glassheap_stat_io.fsync_time IS 'null: the checkpointer syncs the files';
COMMENT ON COLUMN glassheap_stat_io.stats_reset IS 'since when is counted';

CREATE FUNCTION glassheap_stat_bgwriter_row(OUT buffers_clean bigint, OUT maxwritten_clean bigint,
    OUT buffers_alloc bigint, OUT stats_reset timestamptz, OUT pid int4, OUT rounds bigint,
    OUT last_round timestamptz, OUT lookahead int4)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stat_bgwriter_row'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stat_bgwriter_row() IS 'row of glassheap_stat_bgwriter';

CREATE VIEW glassheap_stat_bgwriter AS SELECT * FROM glassheap_stat_bgwriter_row();
COMMENT ON VIEW glassheap_stat_bgwriter IS 'the pool writer';
COMMENT ON COLUMN glassheap_stat_bgwriter.buffers_clean IS 'pages written ahead of need';
COMMENT ON COLUMN glassheap_stat_bgwriter.maxwritten_clean IS 'rounds stopped at glassheap.writer_max_pages';
COMMENT ON COLUMN glassheap_stat_bgwriter.buffers_alloc IS 'frames asked for';
COMMENT ON COLUMN glassheap_stat_bgwriter.stats_reset IS 'since when is counted';
COMMENT ON COLUMN glassheap_stat_bgwriter.pid IS 'process id of the writer';
COMMENT ON COLUMN glassheap_stat_bgwriter.rounds IS 'rounds it has made';
COMMENT ON COLUMN glassheap_stat_bgwriter.last_round IS 'when the last one was';
COMMENT ON COLUMN glassheap_stat_bgwriter.lookahead IS 'buffers it keeps clean ahead of the hand';

CREATE FUNCTION glassheap_stat_checkpointer_row(OUT flushes bigint, OUT write_time float8,
    OUT buffers_written bigint, OUT stats_reset timestamptz, OUT pid int4, OUT turns bigint,
    OUT last_turn timestamptz, OUT last_flush timestamptz, OUT mode text, OUT redo_lsn pg_lsn,
    OUT oldest_dirty_lsn pg_lsn, OUT flush_lag_bytes bigint, OUT waiting_for int4, OUT unwritable text)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stat_checkpointer_row'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stat_checkpointer_row() IS 'the guardian''s part of glassheap_stat_checkpointer';

-- Our part of the checkpoints; pg_stat_bgwriter counts them, and what they do for shared_buffers.
CREATE VIEW glassheap_stat_checkpointer AS SELECT * FROM glassheap_stat_checkpointer_row();
COMMENT ON VIEW glassheap_stat_checkpointer IS 'what both guardians do for checkpoints';
COMMENT ON COLUMN glassheap_stat_checkpointer.flushes IS 'turns that saw a new redo pointer, and wrote for it';
COMMENT ON COLUMN glassheap_stat_checkpointer.write_time IS 'milliseconds spent on writing';
COMMENT ON COLUMN glassheap_stat_checkpointer.buffers_written IS 'pages written by these turns';
COMMENT ON COLUMN glassheap_stat_checkpointer.stats_reset IS 'since when is counted';
COMMENT ON COLUMN glassheap_stat_checkpointer.pid IS 'process id of the guardian';
COMMENT ON COLUMN glassheap_stat_checkpointer.turns IS 'looks at the redo pointer';
COMMENT ON COLUMN glassheap_stat_checkpointer.last_turn IS 'when the last look was';
COMMENT ON COLUMN glassheap_stat_checkpointer.last_flush IS 'when the last writing was';
COMMENT ON COLUMN glassheap_stat_checkpointer.mode IS 'write-back, write-through (a guardian is missing), or replay';
COMMENT ON COLUMN glassheap_stat_checkpointer.redo_lsn IS 'redo pointer for which everything is written';
COMMENT ON COLUMN glassheap_stat_checkpointer.oldest_dirty_lsn IS 'oldest WAL position that a dirty page still needs';
COMMENT ON COLUMN glassheap_stat_checkpointer.flush_lag_bytes IS 'WAL from there to now';
COMMENT ON COLUMN glassheap_stat_checkpointer.waiting_for IS 'process id of the guardian that is late with its turn';
COMMENT ON COLUMN glassheap_stat_checkpointer.unwritable IS 'a page that could not be written, so that checkpoints fail';

CREATE FUNCTION glassheap_relation_io(tablespace oid, relfilenode oid, OUT reads bigint, OUT writes bigint,
    OUT evictions bigint, OUT extends bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_relation_io'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_relation_io(oid, oid)
    IS 'reads, writes, evictions and extensions of one relation''s file';

CREATE FUNCTION glassheap_stat_totals(OUT hits bigint, OUT reads bigint, OUT writes bigint, OUT extends bigint,
    OUT evictions bigint, OUT stats_reset timestamptz)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stat_totals'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stat_totals() IS 'the pool''s counters in one row';

CREATE FUNCTION glassheap_stat_summaries(OUT bytes bigint, OUT extents bigint, OUT extents_used bigint,
    OUT asked bigint, OUT found bigint, OUT kept bigint, OUT stats_reset timestamptz)
RETURNS record
AS 'MODULE_PATHNAME', 'glassheap_stat_summaries'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION glassheap_stat_summaries() IS 'what is kept of pages that have left the pool, and how often it served';

CREATE FUNCTION glassheap_stat_reset()
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_stat_reset'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_stat_reset() IS 'sets the pool''s counters to zero';

CREATE VIEW glassheap_stat_tables AS
WITH resident AS MATERIALIZED (
    SELECT f.reltablespace, f.relfilenode, pg_catalog.sum(f.buffers) AS buffers,
           pg_catalog.sum(f.buffers) FILTER (WHERE f.fork = 'main') AS main_buffers,
           pg_catalog.sum(f.dirty) AS dirty
      FROM glassheap_buffercache_forks() f
     WHERE f.reldatabase = (SELECT d.oid FROM pg_catalog.pg_database d
                             WHERE d.datname = pg_catalog.current_database())
     GROUP BY f.reltablespace, f.relfilenode),
place AS (
    SELECT d.dattablespace FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
tables AS (
    SELECT t.*, CASE WHEN t.reltablespace = 0 THEN place.dattablespace ELSE t.reltablespace END AS spc,
           pg_catalog.pg_relation_size(t.relid) / pg_catalog.current_setting('block_size')::bigint AS blocks
      FROM glassheap_tables t, place
     WHERE t.relkind IN ('r', 'm'))
SELECT t.relid, t.schemaname, t.relname, t.blocks,
       COALESCE(r.buffers, 0)::bigint AS resident_buffers, COALESCE(r.dirty, 0)::bigint AS resident_dirty,
       CASE WHEN t.blocks > 0 THEN pg_catalog.round(100.0 * COALESCE(r.main_buffers, 0) / t.blocks, 2)::float8
            ELSE 0 END AS resident_percent,
       pg_catalog.pg_stat_get_blocks_hit(t.relid) AS hits,
       pg_catalog.pg_stat_get_blocks_fetched(t.relid) - pg_catalog.pg_stat_get_blocks_hit(t.relid) AS reads,
       io.writes, io.evictions, io.extends AS extensions,
       pg_catalog.pg_stat_get_live_tuples(t.relid) AS n_live_tup,
       pg_catalog.pg_stat_get_dead_tuples(t.relid) AS n_dead_tup,
       CASE WHEN pg_catalog.pg_stat_get_tuples_updated(t.relid) > 0
            THEN pg_catalog.round(100.0 * pg_catalog.pg_stat_get_tuples_hot_updated(t.relid)
                                  / pg_catalog.pg_stat_get_tuples_updated(t.relid), 2)::float8
       END AS hot_percent,
       GREATEST(pg_catalog.pg_stat_get_last_vacuum_time(t.relid),
                pg_catalog.pg_stat_get_last_autovacuum_time(t.relid)) AS last_vacuum
  FROM tables t
  LEFT JOIN resident r ON r.reltablespace = t.spc AND r.relfilenode = t.relfilenode
 CROSS JOIN LATERAL glassheap_relation_io(t.spc, t.relfilenode) io;
COMMENT ON VIEW glassheap_stat_tables IS 'what the pool and the statistics system know of each table';
COMMENT ON COLUMN glassheap_stat_tables.relid IS 'the table';
COMMENT ON COLUMN glassheap_stat_tables.schemaname IS 'its schema';
COMMENT ON COLUMN glassheap_stat_tables.relname IS 'its name';
COMMENT ON COLUMN glassheap_stat_tables.blocks IS 'its pages';
COMMENT ON COLUMN glassheap_stat_tables.resident_buffers IS 'buffers of the pool it occupies';
COMMENT ON COLUMN glassheap_stat_tables.resident_dirty IS 'of these, changed and not yet written';
COMMENT ON COLUMN glassheap_stat_tables.resident_percent IS 'part of the table that is in the pool';
COMMENT ON COLUMN glassheap_stat_tables.hits IS 'pages found in the pool';
COMMENT ON COLUMN glassheap_stat_tables.reads IS 'pages read from files';
COMMENT ON COLUMN glassheap_stat_tables.writes IS 'pages written since the file came into use';
COMMENT ON COLUMN glassheap_stat_tables.evictions
    IS 'pages that left the pool for others since the file came into use';
COMMENT ON COLUMN glassheap_stat_tables.extensions IS 'pages added since the file came into use';
COMMENT ON COLUMN glassheap_stat_tables.n_live_tup IS 'living rows, estimated';
COMMENT ON COLUMN glassheap_stat_tables.n_dead_tup IS 'dead rows, estimated';
COMMENT ON COLUMN glassheap_stat_tables.hot_percent IS 'part of the updates that indexes did not notice';
COMMENT ON COLUMN glassheap_stat_tables.last_vacuum IS 'last VACUUM, by hand or automatic';

REVOKE ALL ON FUNCTION glassheap_stat_io_rows() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stat_bgwriter_row() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stat_checkpointer_row() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_relation_io(oid, oid) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stat_totals() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stat_summaries() FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stat_reset() FROM PUBLIC;
REVOKE ALL ON glassheap_stat_io, glassheap_stat_bgwriter, glassheap_stat_checkpointer, glassheap_stat_tables
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_stat_io_rows() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_stat_bgwriter_row() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_stat_checkpointer_row() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_relation_io(oid, oid) TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_stat_totals() TO pg_monitor;
GRANT EXECUTE ON FUNCTION glassheap_stat_summaries() TO pg_monitor;
GRANT SELECT ON glassheap_stat_io, glassheap_stat_bgwriter, glassheap_stat_checkpointer, glassheap_stat_tables
    TO pg_monitor;

--
-- Processes, memory, vacuum progress
--
CREATE FUNCTION glassheap_postmaster_pid()
RETURNS int4
AS 'MODULE_PATHNAME', 'glassheap_postmaster_pid'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_postmaster_pid() IS 'process id of the postmaster';

CREATE VIEW glassheap_processes AS
SELECT p.pid, p.role, p.backend_type, p.since, p.state, p.wait_event, what.purpose,
       CASE p.pid WHEN w.pid THEN w.rounds WHEN g.pid THEN g.turns END AS rounds,
       CASE WHEN p.pid IN (w.pid, g.pid) THEN
            (SELECT pg_catalog.sum(io.writes)::bigint FROM glassheap_stat_io_rows() io
              WHERE io.backend_type = p.backend_type) END AS pages_written,
       CASE p.pid WHEN w.pid THEN w.last_round WHEN g.pid THEN g.last_turn END AS last_round,
       CASE WHEN p.pid IN (w.pid, g.pid) THEN p.pid IS NOT DISTINCT FROM g.waiting_for END AS overdue
  FROM (SELECT glassheap_postmaster_pid() AS pid, 'postmaster' AS role, 'postmaster' AS backend_type,
               pg_catalog.pg_postmaster_start_time() AS since, NULL::text AS state, NULL::text AS wait_event
         UNION ALL
        SELECT a.pid,
               CASE WHEN a.backend_type = 'client backend' THEN 'session'
                    WHEN a.backend_type LIKE 'glassheap %' THEN 'glassheap'
                    WHEN a.backend_type LIKE 'parallel%' THEN 'query helper'
                    WHEN a.backend_type LIKE 'autovacuum%' THEN 'vacuum'
                    WHEN a.backend_type LIKE 'wal%' OR a.backend_type = 'archiver' THEN 'log'
                    WHEN a.backend_type LIKE 'logical%' THEN 'replication'
                    WHEN a.backend_type IN ('checkpointer', 'background writer') THEN 'pages'
                    WHEN a.backend_type = 'startup' THEN 'recovery'
                    ELSE 'other' END,
               a.backend_type, a.backend_start, a.state, a.wait_event
          FROM pg_catalog.pg_stat_activity a) p
  LEFT JOIN (VALUES
        ('postmaster', 'starts all others, listens for connections, restarts after a crash'),
        ('client backend', 'one session: parses, plans and executes its statements'),
        ('parallel worker', 'helps one session with one statement'),
        ('autovacuum launcher', 'decides which database needs a vacuum'),
        ('autovacuum worker', 'vacuums or analyzes tables of one database'),
        ('logical replication launcher', 'starts apply workers of subscriptions'),
        ('logical replication worker', 'applies changes of a publication'),
        ('background writer', 'writes pages of shared_buffers ahead of need'),
        ('checkpointer', 'checkpoints: writes shared_buffers, syncs all files'),
        ('walwriter', 'writes the log for commits that do not wait'),
        ('walsender', 'streams the log to a standby or backup'),
        ('walreceiver', 'receives the log from a primary'),
        ('archiver', 'archives finished log segments'),
        ('startup', 'replays the log'),
        ('glassheap checkpoint guardian', 'holds each checkpoint until glassheap''s dirty pages are written'),
        ('glassheap pool writer', 'writes glassheap''s pages ahead of need; second holder of checkpoints'),
        ('glassheap prewarm', 'saves which pages are in the pool, for after a restart'),
        ('glassheap prewarm loader', 'loads the saved pages of one database')
    ) AS what(backend_type, purpose) ON what.backend_type = p.backend_type
 CROSS JOIN glassheap_stat_bgwriter_row() w
 CROSS JOIN glassheap_stat_checkpointer_row() g;
COMMENT ON VIEW glassheap_processes IS 'every process of the server and what it is for';
COMMENT ON COLUMN glassheap_processes.pid IS 'process id';
COMMENT ON COLUMN glassheap_processes.role IS 'what kind of work it does';
COMMENT ON COLUMN glassheap_processes.backend_type IS 'as in pg_stat_activity';
COMMENT ON COLUMN glassheap_processes.since IS 'when it began';
COMMENT ON COLUMN glassheap_processes.state IS 'of a session, as in pg_stat_activity';
COMMENT ON COLUMN glassheap_processes.wait_event IS 'what it waits for';
COMMENT ON COLUMN glassheap_processes.purpose IS 'what it is for';
COMMENT ON COLUMN glassheap_processes.rounds IS 'of our writer and guardian: rounds made';
COMMENT ON COLUMN glassheap_processes.pages_written IS 'of our writer and guardian: pages written';
COMMENT ON COLUMN glassheap_processes.last_round IS 'of our writer and guardian: when the last round was';
COMMENT ON COLUMN glassheap_processes.overdue IS 'of our writer and guardian: is it late with its turn';

CREATE VIEW glassheap_memory AS
WITH shared AS MATERIALIZED (SELECT * FROM pg_catalog.pg_shmem_allocations),
mine AS MATERIALIZED (SELECT * FROM pg_catalog.pg_backend_memory_contexts),
pool AS (SELECT s.buffers_used::bigint, c.pool_size, c.pool_overhead
           FROM glassheap_buffercache_summary() s, glassheap_control() c)
SELECT m.area, m.kind, m.bytes, m.used_bytes, m.setting
  FROM (
    SELECT 1 AS n, 'glassheap pool' AS area, 'shared' AS kind, pool.pool_size AS bytes,
           pool.buffers_used * pg_catalog.current_setting('block_size')::bigint AS used_bytes,
           'glassheap.buffers = ' || pg_catalog.current_setting('glassheap.buffers') AS setting FROM pool
    UNION ALL
    SELECT 2, 'glassheap pool tables', 'shared', pool.pool_overhead, pool.pool_overhead, NULL FROM pool
    UNION ALL
    SELECT 3, 'shared_buffers', 'shared', s.allocated_size, NULL,
           'shared_buffers = ' || pg_catalog.current_setting('shared_buffers')
      FROM shared s WHERE s.name = 'Buffer Blocks'
    UNION ALL
    SELECT 4, 'WAL buffers', 'shared', s.allocated_size, NULL,
           'wal_buffers = ' || pg_catalog.current_setting('wal_buffers')
      FROM shared s WHERE s.name = 'XLOG Ctl'
    UNION ALL
    SELECT 5, 'CLOG buffers', 'shared', s.allocated_size, NULL, NULL FROM shared s WHERE s.name = 'Xact'
    UNION ALL
    SELECT 6, 'all shared memory', 'shared', pg_catalog.sum(s.allocated_size)::bigint,
           (pg_catalog.sum(s.allocated_size) FILTER (WHERE s.name IS NOT NULL))::bigint, NULL FROM shared s
    UNION ALL
    SELECT 7, 'sort or hash of one plan node', 'local', pg_catalog.pg_size_bytes(
           pg_catalog.current_setting('work_mem')), NULL,
           'work_mem = ' || pg_catalog.current_setting('work_mem')
    UNION ALL
    SELECT 8, 'index build, vacuum', 'local', pg_catalog.pg_size_bytes(
           pg_catalog.current_setting('maintenance_work_mem')), NULL,
           'maintenance_work_mem = ' || pg_catalog.current_setting('maintenance_work_mem')
    UNION ALL
    SELECT 9, 'temporary tables of this session', 'local', pg_catalog.pg_size_bytes(
           pg_catalog.current_setting('temp_buffers')), NULL,
           'temp_buffers = ' || pg_catalog.current_setting('temp_buffers')
    UNION ALL
    SELECT 10, 'catalog cache of this backend', 'local', pg_catalog.sum(b.total_bytes)::bigint,
           pg_catalog.sum(b.used_bytes)::bigint, NULL
      FROM mine b WHERE b.name = 'CacheMemoryContext' OR b.parent = 'CacheMemoryContext'
    UNION ALL
    SELECT 11, 'all memory of this backend', 'local', pg_catalog.sum(b.total_bytes)::bigint,
           pg_catalog.sum(b.used_bytes)::bigint, NULL FROM mine b
  ) m
 ORDER BY m.n;
COMMENT ON VIEW glassheap_memory IS 'where memory goes';
COMMENT ON COLUMN glassheap_memory.area IS 'what it is for';
COMMENT ON COLUMN glassheap_memory.kind IS 'shared by all processes, or local to one';
COMMENT ON COLUMN glassheap_memory.bytes IS 'size';
COMMENT ON COLUMN glassheap_memory.used_bytes IS 'of these in use, where that is known';
COMMENT ON COLUMN glassheap_memory.setting IS 'the setting that decides, with its value';

CREATE VIEW glassheap_stat_progress_vacuum AS
SELECT p.pid, p.datid, p.datname, p.relid, p.phase, p.heap_blks_total, p.heap_blks_scanned,
       p.heap_blks_vacuumed, p.index_vacuum_count, p.max_dead_tuples, p.num_dead_tuples,
       CASE WHEN a.backend_type = 'autovacuum worker' THEN 'autovacuum'
            WHEN a.backend_type LIKE 'glassheap%' THEN 'glassheap'
            ELSE 'manual' END AS started_by,
       a.xact_start AS started, pg_catalog.clock_timestamp() - a.xact_start AS elapsed, a.wait_event,
       oldest.backend_xmin AS oldest_xmin, oldest.pid AS oldest_xmin_pid
  FROM pg_catalog.pg_stat_progress_vacuum p
  JOIN glassheap_tables t ON t.relid = p.relid
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
  LEFT JOIN LATERAL (
        SELECT o.pid, o.backend_xmin FROM pg_catalog.pg_stat_activity o
         WHERE o.backend_xmin IS NOT NULL AND o.pid <> p.pid
         ORDER BY pg_catalog.age(o.backend_xmin) DESC LIMIT 1) oldest ON true
 WHERE p.datname = pg_catalog.current_database();
COMMENT ON VIEW glassheap_stat_progress_vacuum IS 'VACUUMs of glassheap tables that run now';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.pid IS 'process id';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.datid IS 'OID of the database';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.datname IS 'the database';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.relid IS 'the table';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.phase IS 'as in pg_stat_progress_vacuum';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.heap_blks_total IS 'pages of the table';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.heap_blks_scanned IS 'pages looked at';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.heap_blks_vacuumed IS 'pages cleaned of dead rows';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.index_vacuum_count IS 'passes over the indexes';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.max_dead_tuples IS 'dead rows that fit into memory';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.num_dead_tuples
    IS 'dead rows found since the last pass over the indexes';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.started_by IS 'autovacuum, glassheap or manual';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.started IS 'when';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.elapsed IS 'how long it has been running';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.wait_event IS 'what it waits for';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.oldest_xmin
    IS 'oldest snapshot of other sessions, which keeps dead rows from being removed';
COMMENT ON COLUMN glassheap_stat_progress_vacuum.oldest_xmin_pid IS 'whose it is';

REVOKE ALL ON FUNCTION glassheap_postmaster_pid() FROM PUBLIC;
REVOKE ALL ON glassheap_processes, glassheap_memory FROM PUBLIC;
GRANT EXECUTE ON FUNCTION glassheap_postmaster_pid() TO pg_monitor;
GRANT SELECT ON glassheap_processes, glassheap_memory TO pg_monitor;
GRANT SELECT ON glassheap_stat_progress_vacuum TO PUBLIC;

--
-- Stop points: where a test holds a process, makes it fail or kills it (builds with GH_CHECKS=1 only)
--
CREATE FUNCTION glassheap_stop_points_enabled()
RETURNS bool
AS 'MODULE_PATHNAME', 'glassheap_stop_points_enabled'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION glassheap_stop_points_enabled() IS 'for tests: was the library built with stop points';

CREATE FUNCTION glassheap_stop_point_set(name text, action text, skip int4 DEFAULT 0)
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_stop_point_set'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_stop_point_set(text, text, int4) IS 'for tests: arms a stop point';

CREATE FUNCTION glassheap_stop_point_wait(name text)
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_stop_point_wait'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_stop_point_wait(text) IS 'for tests: waits until a process is held at a stop point';

CREATE FUNCTION glassheap_stop_point_clear(name text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'glassheap_stop_point_clear'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION glassheap_stop_point_clear(text) IS 'for tests: disarms one stop point, or all';

REVOKE ALL ON FUNCTION glassheap_stop_point_set(text, text, int4) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stop_point_wait(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION glassheap_stop_point_clear(text) FROM PUBLIC;
