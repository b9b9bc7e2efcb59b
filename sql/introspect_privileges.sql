-- Who may call what: privileges by class, tried by role.
CREATE ROLE gh_nobody;
CREATE ROLE gh_scanner IN ROLE pg_stat_scan_tables;
CREATE ROLE gh_monitor IN ROLE pg_monitor;

SELECT p.oid::regprocedure::text AS function,
       has_function_privilege('gh_nobody', p.oid, 'EXECUTE') AS nobody,
       has_function_privilege('gh_scanner', p.oid, 'EXECUTE') AS scanner,
       has_function_privilege('gh_monitor', p.oid, 'EXECUTE') AS monitor
  FROM pg_proc p
 WHERE p.proname LIKE 'glassheap\_%'
 ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT c.relname, has_table_privilege('gh_nobody', c.oid, 'SELECT') AS nobody,
       has_table_privilege('gh_scanner', c.oid, 'SELECT') AS scanner,
       has_table_privilege('gh_monitor', c.oid, 'SELECT') AS monitor
  FROM pg_class c WHERE c.relkind = 'v' AND c.relname LIKE 'glassheap\_%' ORDER BY c.relname COLLATE "C";

CREATE TABLE secret (id int, v text) USING glassheap;
INSERT INTO secret SELECT g, 'v' || g FROM generate_series(1, 500) g;
VACUUM secret;

CREATE FUNCTION try(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    state text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE 'SELECT count(*)::text FROM ' || statement INTO answer;
    RESET ROLE;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, answer = MESSAGE_TEXT;
    RETURN state || ' ' || answer;
END $$;

SELECT statement, try('gh_nobody', statement) AS nobody, try('gh_scanner', statement) AS scanner,
       try('gh_monitor', statement) AS monitor
  FROM unnest(ARRAY[
    $$glassheap_version()$$,
    $$glassheap_tables$$,
    $$glassheap_freespace('secret')$$,
    $$glassheap_visibility('secret')$$,
    $$glassheap_check_visible('secret')$$,
    $$glassheap_stattuple('secret')$$,
    $$glassheap_pages('secret')$$,
    $$glassheap_map('secret')$$,
    $$glassheap_report('secret')$$,
    $$glassheap_rowlocks('secret')$$,
    $$glassheap_prewarm('secret')$$,
    $$glassheap_buffercache$$,
    $$glassheap_buffercache_summary()$$,
    $$glassheap_buffercache_relations$$,
    $$glassheap_clock$$,
    $$glassheap_stat_io$$,
    $$glassheap_stat_tables$$,
    $$glassheap_stat_checkpointer$$,
    $$glassheap_processes$$,
    $$glassheap_memory$$,
    $$glassheap_stat_progress_vacuum$$,
    $$glassheap_get_raw_page('secret', 0)$$,
    $$glassheap_get_disk_page('secret', 0)$$,
    $$glassheap_page_header('secret', 0)$$,
    $$glassheap_page_items('secret', 0)$$,
    $$glassheap_page_item_attrs('secret', 0)$$,
    $$glassheap_tuple_infomask_flags(1, 1)$$,
    $$glassheap_verify('secret')$$,
    $$glassheap_verify_all()$$,
    $$glassheap_resolve('secret')$$,
    $$glassheap_truncate_visibility_map('secret')$$,
    $$glassheap_repair_visibility_map('secret')$$,
    $$glassheap_buffercache_evict(1)$$,
    $$glassheap_buffercache_evict_all()$$,
    $$glassheap_stat_reset()$$,
    $$glassheap_autoprewarm_dump_now()$$]) WITH ORDINALITY AS s(statement, n)
 ORDER BY n;

-- SELECT on the table is enough for its row locks, and for warming it; raw bytes stay with superusers.
GRANT SELECT ON secret TO gh_nobody;
SELECT try('gh_nobody', $$glassheap_rowlocks('secret')$$), try('gh_nobody', $$glassheap_prewarm('secret')$$),
       try('gh_nobody', $$glassheap_page_items('secret', 0)$$);
-- Verification can be granted.
GRANT EXECUTE ON FUNCTION glassheap_verify(regclass, bool, bool, text, bigint, bigint) TO gh_nobody;
SELECT try('gh_nobody', $$glassheap_verify('secret')$$);
REVOKE EXECUTE ON FUNCTION glassheap_verify(regclass, bool, bool, text, bigint, bigint) FROM gh_nobody;
-- Evicting cannot: superuser() is asked in C.
GRANT EXECUTE ON FUNCTION glassheap_buffercache_evict_all() TO gh_nobody;
SELECT try('gh_nobody', $$glassheap_buffercache_evict_all()$$);
REVOKE EXECUTE ON FUNCTION glassheap_buffercache_evict_all() FROM gh_nobody;

DROP FUNCTION try(text, text);
DROP TABLE secret;
DROP ROLE gh_nobody, gh_scanner, gh_monitor;
