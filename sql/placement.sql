-- A row goes to the page and line pointer where heap would put it: the same statements are run on a heap
-- table and on ours, and the two are compared row by row, address included.
CREATE SCHEMA placement;
SET search_path = placement, public;

-- One pair of tables, one workload.  $1: storage options; $2: statements, with %I for the table.
CREATE FUNCTION compare(options text, variadic workload text[])
RETURNS TABLE (rows_heap bigint, rows_ours bigint, differ bigint, pages_equal bool)
LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  relname text;
BEGIN
  FOREACH relname IN ARRAY ARRAY['pair_heap', 'pair_ours'] LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I', relname);
    EXECUTE format('CREATE TABLE %I (id int, n int, pad text) USING %s %s', relname,
                   CASE relname WHEN 'pair_heap' THEN 'heap' ELSE 'glassheap' END, options);
    FOREACH statement IN ARRAY workload LOOP
      EXECUTE format(statement, relname);
    END LOOP;
  END LOOP;
  RETURN QUERY
    SELECT (SELECT count(*) FROM pair_heap), (SELECT count(*) FROM pair_ours),
           (SELECT count(*) FROM (SELECT ctid AS place, * FROM pair_heap
                                  EXCEPT SELECT ctid, * FROM pair_ours) d),
           pg_relation_size('pair_heap') = pg_relation_size('pair_ours');
END $$;

-- plain inserts, one statement and many
SELECT * FROM compare('', 'INSERT INTO %I SELECT g, g, repeat(''x'', g %% 100) FROM generate_series(1, 5000) g');
-- fillfactor
SELECT * FROM compare('WITH (fillfactor = 40)',
  'INSERT INTO %I SELECT g, g, repeat(''x'', g %% 100) FROM generate_series(1, 5000) g');
-- rows larger than the fillfactor leaves room for: a page each, not an error
SELECT * FROM compare('WITH (fillfactor = 20, toast_tuple_target = 8160)',
  'ALTER TABLE %I ALTER pad SET STORAGE PLAIN',
  'INSERT INTO %I SELECT g, g, repeat(''x'', 7000 + g) FROM generate_series(1, 20) g',
  'INSERT INTO %I SELECT g, g, repeat(''y'', 10) FROM generate_series(1, 300) g');
-- updates that stay on the page (HOT), and that move
SELECT * FROM compare('WITH (fillfactor = 80, autovacuum_enabled = off)',
  'INSERT INTO %I SELECT g, 0, repeat(''x'', 50) FROM generate_series(1, 2000) g',
  'UPDATE %I SET n = n + 1 WHERE id %% 7 = 0',
  'UPDATE %I SET n = n + 1, pad = repeat(''y'', 200) WHERE id %% 5 = 0',
  'UPDATE %I SET n = n + 1');
-- with an index on what changes
SELECT * FROM compare('WITH (fillfactor = 80, autovacuum_enabled = off)',
  'CREATE INDEX ON %I (n)',
  'INSERT INTO %I SELECT g, 0, repeat(''x'', 50) FROM generate_series(1, 2000) g',
  'UPDATE %I SET pad = pad || ''z'' WHERE id %% 3 = 0',
  'UPDATE %I SET n = n + 1 WHERE id %% 7 = 0',
  'DELETE FROM %I WHERE id %% 2 = 0',
  'INSERT INTO %I SELECT g, 5, repeat(''w'', 30) FROM generate_series(1, 1000) g');
-- out-of-line values
SELECT * FROM compare('WITH (autovacuum_enabled = off)',
  'ALTER TABLE %I ALTER pad SET STORAGE EXTERNAL',
  'INSERT INTO %I SELECT g, g, repeat(''x'', g * 37) FROM generate_series(1, 300) g',
  'UPDATE %I SET pad = pad || ''tail'' WHERE id %% 3 = 0',
  'UPDATE %I SET n = -n');
-- insert and delete in subtransactions that roll back
SELECT * FROM compare('WITH (autovacuum_enabled = off)',
  'INSERT INTO %I SELECT g, g, ''a'' FROM generate_series(1, 500) g',
  'DO $x$ BEGIN INSERT INTO %1$I SELECT g, g, ''b'' FROM generate_series(1, 500) g; DELETE FROM %1$I WHERE id < 50; RAISE EXCEPTION ''back''; EXCEPTION WHEN raise_exception THEN NULL; END $x$',
  'INSERT INTO %I SELECT g, g, ''c'' FROM generate_series(1, 500) g');

-- Vacuum gives space back, and the next rows fill it as heap would.
CREATE TABLE again_heap (id int, pad text) USING heap WITH (autovacuum_enabled = off);
CREATE TABLE again_ours (id int, pad text) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO again_heap SELECT g, repeat('x', 100) FROM generate_series(1, 3000) g;
INSERT INTO again_ours SELECT g, repeat('x', 100) FROM generate_series(1, 3000) g;
DELETE FROM again_heap WHERE id % 3 <> 0;
DELETE FROM again_ours WHERE id % 3 <> 0;
VACUUM again_heap;
VACUUM again_ours;
INSERT INTO again_heap SELECT g, repeat('y', 60) FROM generate_series(1, 3000) g;
INSERT INTO again_ours SELECT g, repeat('y', 60) FROM generate_series(1, 3000) g;
SELECT pg_relation_size('again_heap') = pg_relation_size('again_ours') AS pages_equal,
       (SELECT count(*) FROM again_ours) AS rows;

-- COPY fills pages by the batch, also in the middle of a page
CREATE TABLE copy_heap (id int, pad text) USING heap;
CREATE TABLE copy_ours (id int, pad text) USING glassheap;
INSERT INTO copy_heap VALUES (0, 'first');
INSERT INTO copy_ours VALUES (0, 'first');
COPY (SELECT g, repeat('c', g % 200) FROM generate_series(1, 5000) g) TO '/tmp/glassheap_placement.copy';
COPY copy_heap FROM '/tmp/glassheap_placement.copy';
COPY copy_ours FROM '/tmp/glassheap_placement.copy';
\! rm -f /tmp/glassheap_placement.copy
INSERT INTO copy_heap VALUES (-1, 'last');
INSERT INTO copy_ours VALUES (-1, 'last');
SELECT count(*) AS differ FROM (SELECT ctid AS place, * FROM copy_heap EXCEPT SELECT ctid, * FROM copy_ours) d;
SELECT count(*) FROM copy_ours;

-- COPY of a large table takes pages in advance; none is lost when the next COPY goes to another table, or comes from
-- another connection.  First with the free space map, then in the transaction that made the tables, without it.
COPY (SELECT g, repeat('c', 4000 + g % 3000) FROM generate_series(1, 5) g) TO '/tmp/glassheap_placement.copy';
CREATE FUNCTION large_table(name text, am text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (id int, pad text) USING %I WITH (autovacuum_enabled = off)', name, am);
  EXECUTE format('ALTER TABLE %I ALTER pad SET STORAGE PLAIN', name);
  EXECUTE format('INSERT INTO %I SELECT g, repeat(''x'', 5000) FROM generate_series(1, 1030) g', name);
END $$;
CREATE PROCEDURE copy_in_turn(rounds int, variadic names text[]) LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  FOR i IN 1 .. rounds LOOP
    FOREACH name IN ARRAY names LOOP
      EXECUTE format('COPY %I FROM ''/tmp/glassheap_placement.copy''', name);
    END LOOP;
  END LOOP;
END $$;
CREATE FUNCTION differences(one text, other text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  result bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT ctid AS place, id FROM %I EXCEPT SELECT ctid, id FROM %I) d', one, other)
    INTO result;
  RETURN result;
END $$;
CREATE FUNCTION pages_lost(one text, other text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN n BETWEEN 0 AND 15 THEN 'none' ELSE n::text END
  FROM (SELECT (pg_relation_size(other) - pg_relation_size(one)) / 8192) d (n) $$;
SELECT large_table('turn1_heap', 'heap'), large_table('turn2_heap', 'heap'),
       large_table('turn1_ours', 'glassheap'), large_table('turn2_ours', 'glassheap');
CALL copy_in_turn(20, 'turn1_heap', 'turn2_heap');
CALL copy_in_turn(20, 'turn1_ours', 'turn2_ours');
SELECT differences('turn1_heap', 'turn1_ours'), differences('turn2_heap', 'turn2_ours'),
       pages_lost('turn1_heap', 'turn1_ours'), pages_lost('turn2_heap', 'turn2_ours');
\c -
SET search_path = placement, public;
CALL copy_in_turn(1, 'turn1_heap', 'turn1_ours');
\c -
SET search_path = placement, public;
CALL copy_in_turn(20, 'turn1_heap', 'turn1_ours');
SELECT pages_lost('turn1_heap', 'turn1_ours');
BEGIN;
SELECT large_table('new1_heap', 'heap'), large_table('new2_heap', 'heap'),
       large_table('new1_ours', 'glassheap'), large_table('new2_ours', 'glassheap');
CALL copy_in_turn(20, 'new1_heap', 'new2_heap');
CALL copy_in_turn(20, 'new1_ours', 'new2_ours');
SELECT differences('new1_heap', 'new1_ours'), differences('new2_heap', 'new2_ours'),
       pages_lost('new1_heap', 'new1_ours'), pages_lost('new2_heap', 'new2_ours');
COMMIT;
\! rm -f /tmp/glassheap_placement.copy

-- too long for any page
CREATE TABLE long_row (a text) USING glassheap;
ALTER TABLE long_row ALTER a SET STORAGE PLAIN;
INSERT INTO long_row VALUES (repeat('x', 8129));
\set VERBOSITY sqlstate
INSERT INTO long_row VALUES (repeat('x', 9000));
INSERT INTO long_row VALUES (repeat('x', 8100));
UPDATE long_row SET a = a || repeat('x', 1000);
\set VERBOSITY default
SELECT ctid, length(a) FROM long_row;

DROP SCHEMA placement CASCADE;
