-- isolationtester asks, of a step that does not end, whether its session waits for a lock of another's.  The specs in
-- specs/stop_points hold sessions at stop points: their wait has the type "Extension", and no other wait of theirs has.
-- The function is called by number where it is called as the one that the server was built with; so it is renamed.
ALTER FUNCTION pg_catalog.pg_isolation_test_session_is_blocked(int, int[]) RENAME TO gh_session_waits_for_lock;
CREATE FUNCTION pg_catalog.pg_isolation_test_session_is_blocked(int, int[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.gh_session_waits_for_lock($1, $2)
        OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Extension')
$$;
