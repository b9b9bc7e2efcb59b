-- What this compiler makes of an error that jumps over C++ frames: destructors are skipped, PostgreSQL's own unwinding
-- gives back what the guards held, and the error arrives whole (src/pg/README.md).
CREATE FUNCTION longjmp_probe(rel regclass, fail bool) RETURNS int
AS '$libdir/glassheap', 'glassheap_longjmp_probe' LANGUAGE C STRICT;
CREATE TABLE probed (a int) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO probed VALUES (1);
CREATE VIEW pins AS
    SELECT coalesce(sum(pinning_backends), 0) AS pins FROM glassheap_buffercache
    WHERE relfilenode = pg_relation_filenode('probed');

-- The success path: the guard's destructor runs, nothing is left pinned.
SELECT longjmp_probe('probed', false) AS destroyed;
SELECT * FROM pins;
-- The error path at top level.
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM longjmp_probe('probed', true); EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT * FROM pins;
-- Caught in a subtransaction: same, two hundred times.
DO $$
DECLARE
    state text; detail text; hint text; caught int := 0;
BEGIN
    FOR i IN 1..200 LOOP
        BEGIN
            PERFORM longjmp_probe('probed', true);
        EXCEPTION WHEN serialization_failure THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            caught := caught + 1;
        END;
    END LOOP;
    RAISE NOTICE 'caught % times: % / % / %', caught, state, detail, hint;
END $$;
SELECT * FROM pins;
-- One more guard destroyed than before, the 201 failures none: and the latch is free, an update goes through.
SELECT longjmp_probe('probed', false) AS destroyed;
UPDATE probed SET a = 2;
SELECT a FROM probed;
DROP VIEW pins;
DROP TABLE probed;
DROP FUNCTION longjmp_probe(regclass, bool);
