-- Bitmap scans: exact, lossy, over HOT chains, on all-visible pages and others.
CREATE TABLE b (id int, grp int, note text) USING glassheap WITH (autovacuum_enabled = off, fillfactor = 70);
INSERT INTO b SELECT g, g % 97, repeat('y', g % 40) FROM generate_series(1, 20000) g;
CREATE INDEX b_grp ON b (grp);
CREATE INDEX b_id ON b (id);
ANALYZE b;
SET enable_seqscan = off;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;

CREATE FUNCTION result_of(condition text, OUT rows bigint, OUT sum_id numeric) LANGUAGE plpgsql AS
$$BEGIN EXECUTE 'SELECT count(*), sum(id) FROM b WHERE ' || condition INTO rows, sum_id; END$$;

EXPLAIN (COSTS OFF) SELECT count(*) FROM b WHERE grp = 5;
SELECT * FROM result_of('grp = 5');
SELECT * FROM result_of('grp = 5 AND id < 1000');
SELECT * FROM result_of('grp IN (1, 2, 3) OR id BETWEEN 100 AND 200');

UPDATE b SET note = note || '!' WHERE id % 3 = 0;  -- HOT, mostly
DELETE FROM b WHERE id % 7 = 0;
SELECT * FROM result_of('grp = 5');
SELECT * FROM result_of('grp < 10');
UPDATE b SET grp = grp + 100 WHERE grp = 8;        -- not HOT
SELECT * FROM result_of('grp = 8');
SELECT * FROM result_of('grp = 108');

VACUUM b;                                          -- pages become all-visible
SELECT * FROM result_of('grp < 10');
SELECT * FROM result_of('grp = 108 AND id % 2 = 0');
UPDATE b SET note = 'changed' WHERE grp = 9;       -- redirects on pages that were all-visible
SELECT * FROM result_of('grp = 9');
VACUUM b;
SELECT * FROM result_of('grp = 9');

SET work_mem = '64kB';                             -- lossy pages
SELECT * FROM result_of('id > 100 AND grp < 60');
DELETE FROM b WHERE id % 11 = 0;
SELECT * FROM result_of('id > 100 AND grp < 60');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM result_of('id > 100 AND grp < 60');
SELECT * FROM result_of('grp = 9');
COMMIT;

-- rows of our own transaction, and of an aborted one
BEGIN;
INSERT INTO b VALUES (100001, 5, 'mine');
DELETE FROM b WHERE id = 5;
SELECT * FROM result_of('grp = 5');
SAVEPOINT s;
DELETE FROM b WHERE grp = 5;
SELECT * FROM result_of('grp = 5');
ROLLBACK TO s;
SELECT * FROM result_of('grp = 5');
ROLLBACK;
SELECT * FROM result_of('grp = 5');

DROP FUNCTION result_of(text);
DROP TABLE b;
