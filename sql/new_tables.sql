-- glassheap.default_for_new_tables: what becomes ours and what does not, row by row of src/am/README.md.
-- What needs other databases, roles' settings or extensions of our own is in t/110_new_tables.pl.
SET client_min_messages = warning;
CREATE SCHEMA fresh;
SET search_path = fresh, public;
CREATE VIEW kept AS
    SELECT c.relname, a.amname AS access_method FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
     WHERE c.relkind IN ('r', 'm', 'p') AND (c.relnamespace = 'fresh'::regnamespace OR c.relpersistence = 't'
            OR pg_get_userbyid(c.relowner) = current_user AND c.relname LIKE 'x\_%')
     ORDER BY c.relname COLLATE "C";

SHOW glassheap.default_for_new_tables;
CREATE TABLE off_plain (id int);
SELECT * FROM kept;
DROP TABLE off_plain;

SET glassheap.default_for_new_tables = on;
-- Statements of users.
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE plain_heap (id int) USING heap;
CREATE TABLE IF NOT EXISTS plain (id int);
CREATE TABLE ctas AS SELECT 1 AS id;
CREATE TABLE ctas_heap USING heap AS SELECT 1 AS id;
CREATE TABLE ctas_nodata AS SELECT 1 AS id WITH NO DATA;
SELECT 1 AS id INTO select_into;
PREPARE answer AS SELECT 42 AS id;
CREATE TABLE ctas_execute AS EXECUTE answer;
EXPLAIN (COSTS off) CREATE TABLE explained AS SELECT 1 AS id;
DO $$ BEGIN EXECUTE 'EXPLAIN (ANALYZE) CREATE TABLE analyzed AS SELECT 1 AS id'; END $$;
CREATE MATERIALIZED VIEW matview AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW matview_heap USING heap AS SELECT 1 AS id;
REFRESH MATERIALIZED VIEW matview;
CREATE TABLE like_heap (LIKE plain_heap INCLUDING ALL);
CREATE TABLE child_of_heap () INHERITS (plain_heap);
CREATE TYPE pair AS (a int, b int);
CREATE TABLE typed OF pair;
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_heap PARTITION OF part FOR VALUES FROM (10) TO (20) USING heap;
CREATE TABLE part_sub PARTITION OF part FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (id);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TEMP TABLE temporary (id int);
CREATE TABLE toasted (v text);
CREATE SCHEMA fresh_two CREATE TABLE x_in_schema (id int) CREATE VIEW x_view AS SELECT 1 AS one;
-- From blocks, functions and procedures of users.
DO $$ BEGIN CREATE TABLE from_block (id int); END $$;
CREATE FUNCTION by_plpgsql(name text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', name); END $$;
SELECT by_plpgsql('from_function');
CREATE FUNCTION by_sql() RETURNS void LANGUAGE sql AS $$ CREATE TABLE from_sql (id int) $$;
SELECT by_sql();
CREATE PROCEDURE by_call() LANGUAGE plpgsql AS $$ BEGIN
    CREATE TABLE from_call_1 (id int);
    COMMIT;
    CREATE TABLE from_call_2 (id int);
END $$;
CALL by_call();
-- The same statement again, from the plan cache of one function.
CREATE FUNCTION again() RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN CREATE TABLE cached_plan (id int); DROP TABLE cached_plan; CREATE TABLE cached_plan (id int); END $$;
SELECT again();
DROP TABLE cached_plan;
SET glassheap.default_for_new_tables = off;
SELECT again();
SELECT relname, access_method FROM kept WHERE relname = 'cached_plan';
DROP TABLE cached_plan;
SET glassheap.default_for_new_tables = on;
SELECT again();
SELECT * FROM kept;
SELECT a.amname AS toast_table FROM pg_class t JOIN pg_class c ON c.reltoastrelid = t.oid JOIN pg_am a ON a.oid = t.relam
 WHERE c.oid = 'toasted'::regclass;
DROP SCHEMA fresh_two CASCADE;

-- Of extensions: their functions, whoever calls them, and their schemas.
CREATE EXTENSION pg_trgm;
CREATE SCHEMA x_of_extension;
CREATE FUNCTION by_extension(name text, fail bool DEFAULT false) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    IF fail THEN RAISE 'failed'; END IF;
    EXECUTE format('CREATE TABLE fresh.%I (id int)', name);
    RETURN 1;
END $$;
CREATE FUNCTION by_extension_secdef(name text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    EXECUTE format('CREATE TABLE fresh.%I (id int)', name);
    RETURN 1;
END $$;
CREATE FUNCTION by_extension_caught(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    BEGIN PERFORM by_extension('never', true); EXCEPTION WHEN OTHERS THEN NULL; END;
    EXECUTE format('CREATE TABLE fresh.%I (id int)', name);
END $$;
CREATE FUNCTION by_extension_sql() RETURNS void LANGUAGE sql AS $$ CREATE TABLE fresh.x_sql (id int) $$;
CREATE PROCEDURE by_extension_call() LANGUAGE plpgsql AS $$ BEGIN
    CREATE TABLE fresh.x_call_1 (id int);
    COMMIT;
    CREATE TABLE fresh.x_call_2 (id int);
END $$;
CREATE FUNCTION by_extension_trigger() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'CREATE TABLE fresh.x_trigger (id int)'; RETURN NULL; END $$;
SELECT by_extension('u_not_yet_member');
ALTER EXTENSION pg_trgm ADD SCHEMA x_of_extension;
ALTER EXTENSION pg_trgm ADD FUNCTION by_extension(text, bool);
ALTER EXTENSION pg_trgm ADD FUNCTION by_extension_secdef(text);
ALTER EXTENSION pg_trgm ADD FUNCTION by_extension_caught(text);
ALTER EXTENSION pg_trgm ADD FUNCTION by_extension_sql();
ALTER EXTENSION pg_trgm ADD PROCEDURE by_extension_call();
ALTER EXTENSION pg_trgm ADD FUNCTION by_extension_trigger();
CREATE TABLE u_before (id int);
CREATE TABLE x_of_extension.x_schema (id int);
SELECT by_extension('x_function');
SELECT by_extension_secdef('x_secdef');
SELECT by_extension_caught('x_caught');
SELECT by_extension_sql();
CALL by_extension_call();
DO $$ DECLARE n int; BEGIN n := by_extension('x_simple_expression'); CREATE TABLE fresh.u_after_call (id int); END $$;
CREATE TRIGGER t AFTER INSERT ON plain EXECUTE FUNCTION by_extension_trigger();
INSERT INTO plain VALUES (1, 'one');
DROP TRIGGER t ON plain;
SELECT by_extension('x_failed', true);
SELECT by_extension_caught('x_caught_2');
CREATE TABLE u_after_error (id int);
-- A user's function in between changes nothing.
CREATE FUNCTION by_user(name text) RETURNS int LANGUAGE sql AS $$ SELECT by_extension(name) $$;
SELECT by_user('x_nested');
-- USING decides here, too.
CREATE TABLE x_of_extension.x_schema_ours (id int) USING glassheap;
SELECT * FROM kept WHERE relname ~ '^[ux]_';
ALTER EXTENSION pg_trgm DROP SCHEMA x_of_extension;
DROP SCHEMA x_of_extension CASCADE;

-- A session's own SET decides, for heap too, until it is taken back; and the setting replaces heap only.
SET default_table_access_method = heap;
CREATE TABLE s_set (id int);
RESET default_table_access_method;
CREATE TABLE s_reset (id int);
BEGIN;
SET LOCAL default_table_access_method = heap;
CREATE TABLE s_set_local (id int);
COMMIT;
CREATE TABLE s_after_local (id int);
CREATE FUNCTION with_set() RETURNS void LANGUAGE plpgsql SET default_table_access_method = heap AS
    $$ BEGIN CREATE TABLE fresh.s_function_set (id int); END $$;
SELECT with_set();
BEGIN;
SET LOCAL glassheap.default_for_new_tables = off;
CREATE TABLE s_off (id int);
COMMIT;
CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
SET default_table_access_method = other;
CREATE TABLE s_other (id int);
RESET default_table_access_method;
SELECT * FROM kept WHERE relname ~ '^s_';

RESET glassheap.default_for_new_tables;
DROP TABLE s_other;
DROP ACCESS METHOD other;
DROP EXTENSION pg_trgm;
DROP SCHEMA fresh CASCADE;
