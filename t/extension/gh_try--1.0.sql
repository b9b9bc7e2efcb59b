-- Creates a table in each way, without saying how it is kept; and one that says.
CREATE TABLE plain (id int, seen text);
CREATE TABLE ctas AS SELECT 1 AS id;
SELECT 1 AS id INTO select_into;
CREATE MATERIALIZED VIEW matview AS SELECT 1 AS id;
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part DEFAULT;
DO $$ BEGIN EXECUTE 'CREATE TABLE from_block (id int)'; END $$;
CREATE FUNCTION make(name text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE format('CREATE TABLE gh_try.%I (id int)', name); END $$;
SELECT make('from_function');
-- What C code would find that creates tables without a statement.
INSERT INTO plain VALUES (1, current_setting('default_table_access_method'));
CREATE TABLE says_using (id int) USING glassheap;
SELECT pg_catalog.pg_extension_config_dump('plain', '');
