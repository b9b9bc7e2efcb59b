-- The free space map agrees with heap's: same values, same choices, for the same work in one session.
CREATE EXTENSION IF NOT EXISTS pg_freespacemap;
CREATE TABLE map_g (id int, v text) USING glassheap WITH (autovacuum_enabled = off);
CREATE TABLE map_h (id int, v text) USING heap WITH (autovacuum_enabled = off);

-- The map is read from the files, by a tool that knows nothing of our pool.
CREATE FUNCTION same_map() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s pages, %s with space, %s differ', count(*), count(*) FILTER (WHERE g.avail > 0),
                  count(*) FILTER (WHERE g.avail IS DISTINCT FROM h.avail))
    FROM glassheap_freespace('map_g') g FULL JOIN pg_freespace('map_h') h USING (blkno) $$;
CREATE FUNCTION same_rows() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s rows, %s elsewhere', count(*), count(*) FILTER (WHERE g.ctid IS DISTINCT FROM h.ctid
                  OR g.v IS DISTINCT FROM h.v))
    FROM map_g g FULL JOIN map_h h ON g.id = h.id $$;
CREATE PROCEDURE on_both(statement text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(statement, 'map_g');
    EXECUTE format(statement, 'map_h');
END $$;

CALL on_both('INSERT INTO %s SELECT i, repeat(''x'', 20 + i %% 700) FROM generate_series(1, 5000) i');
SELECT same_rows();
CALL on_both('DELETE FROM %s WHERE id %% 7 < 3');
VACUUM map_g;
VACUUM map_h;
SELECT same_rows(), same_map();
-- Space that vacuum found is used, in the same order.
CALL on_both('INSERT INTO %s SELECT i, repeat(''y'', 50 + i %% 500) FROM generate_series(5001, 6500) i');
SELECT same_rows(), same_map();
CALL on_both('UPDATE %s SET v = v || repeat(''z'', id %% 300) WHERE id %% 3 = 0');
SELECT same_rows(), same_map();
VACUUM map_g;
VACUUM map_h;
SELECT same_rows(), same_map();
CALL on_both('INSERT INTO %s SELECT i, repeat(''w'', 1900) FROM generate_series(6501, 6600) i');
SELECT same_rows(), same_map();
-- An empty tail goes, and its part of the map with it.
CALL on_both('DELETE FROM %s WHERE (ctid::text::point)[0] > 50');
VACUUM map_g;
VACUUM map_h;
SELECT pg_relation_size('map_g') = pg_relation_size('map_h') AS same_size;
SELECT same_rows(), same_map();
CALL on_both('INSERT INTO %s SELECT i, repeat(''v'', i %% 900) FROM generate_series(7001, 8000) i');
SELECT same_rows(), same_map();
-- fillfactor
CALL on_both('ALTER TABLE %s SET (fillfactor = 40)');
CALL on_both('INSERT INTO %s SELECT i, repeat(''u'', i %% 900) FROM generate_series(8001, 8500) i');
SELECT same_rows(), same_map();

-- More than one leaf page of the map, handed out and handed back.
CREATE TABLE map_large (id int, v text) USING glassheap WITH (fillfactor = 10, autovacuum_enabled = off);
INSERT INTO map_large SELECT i, repeat('x', 700) FROM generate_series(1, 4500) i;
SELECT pg_relation_size('map_large') / 8192 > 4069 AS two_leaf_pages;
DELETE FROM map_large WHERE id % 2 = 0;
-- The pool writer has nothing left to write: a page that it had pinned would be passed over.
CHECKPOINT;
VACUUM map_large;
SELECT count(*), sum(avail) > 0 AS has_space FROM glassheap_freespace('map_large') WHERE avail > 0;
DELETE FROM map_large WHERE id > 100;
CHECKPOINT;
VACUUM map_large;
SELECT pg_relation_size('map_large') / 8192 < 4069 AS truncated,
       glassheap_freespace('map_large', 4000) = 0 AND glassheap_freespace('map_large', 200) = 0 AS map_too;

-- Temporary tables keep their map in their backend's own pool.
CREATE TEMP TABLE map_temp (id int, v text) USING glassheap;
INSERT INTO map_temp SELECT i, repeat('x', 700) FROM generate_series(1, 100) i;
DELETE FROM map_temp WHERE id <= 50;
VACUUM map_temp;
SELECT pg_relation_size('map_temp') AS before \gset
INSERT INTO map_temp SELECT i, repeat('x', 700) FROM generate_series(101, 145) i;
SELECT pg_relation_size('map_temp') = :before AS reused;

DROP TABLE map_g, map_h, map_large, map_temp;
DROP FUNCTION same_map(), same_rows();
DROP PROCEDURE on_both(text);
DROP EXTENSION pg_freespacemap;
