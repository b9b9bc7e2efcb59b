-- Index builds over HOT chains, dead rows, rows of our own transaction; partial, expression, unique, concurrent.
CREATE TABLE i (id int, a int, b text) USING glassheap WITH (autovacuum_enabled = off, fillfactor = 50);
INSERT INTO i SELECT g, g % 100, 'b' || g FROM generate_series(1, 2000) g;
UPDATE i SET b = b || '+' WHERE id % 4 = 0;
UPDATE i SET a = -a WHERE id % 6 = 0;
DELETE FROM i WHERE id % 9 = 0;
CREATE INDEX i_a ON i (a);
CREATE UNIQUE INDEX i_id ON i (id);
CREATE INDEX i_expr ON i (lower(b)) WHERE a > 50;
CREATE INDEX i_hash ON i USING hash (b);
CREATE INDEX i_brin ON i USING brin (id) WITH (pages_per_range = 2);

CREATE FUNCTION both_ways(condition text, OUT seq bigint, OUT idx bigint) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL enable_indexonlyscan = off;
    EXECUTE 'SELECT count(*) FROM i WHERE ' || condition INTO seq;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on;
    SET LOCAL enable_indexonlyscan = on;
    EXECUTE 'SELECT count(*) FROM i WHERE ' || condition INTO idx;
END$$;
SELECT * FROM both_ways('a = 7');
SELECT * FROM both_ways('a < 0');
SELECT * FROM both_ways('id BETWEEN 500 AND 700');
SELECT * FROM both_ways('a > 50 AND lower(b) < ''b15''');
SELECT * FROM both_ways('b = ''b1000+''');
SELECT reltuples FROM pg_class WHERE relname IN ('i', 'i_a', 'i_id') ORDER BY relname;

INSERT INTO i VALUES (1, 1, 'duplicate');
CREATE UNIQUE INDEX i_dup ON i (a);

-- in the transaction that changed the rows
BEGIN;
UPDATE i SET b = 'own' WHERE id = 10;
DELETE FROM i WHERE id = 11;
INSERT INTO i VALUES (99999, 42, 'own');
CREATE INDEX i_own ON i (b);
SET LOCAL enable_seqscan = off;
SELECT id FROM i WHERE b = 'own' ORDER BY id;
COMMIT;
SELECT id FROM i WHERE b = 'own' ORDER BY id;

CREATE INDEX CONCURRENTLY i_conc ON i (a, id);
SELECT * FROM both_ways('a = 7 AND id > 100');
REINDEX TABLE i;
REINDEX INDEX CONCURRENTLY i_conc;
SELECT * FROM both_ways('a = 7 AND id > 100');

-- BRIN ranges are summarized by block
INSERT INTO i SELECT g, 1, 'late' FROM generate_series(200000, 201000) g;
SELECT brin_summarize_new_values('i_brin') > 0;
SELECT * FROM both_ways('id BETWEEN 200100 AND 200200');

-- deferred uniqueness reads the row again after the index fetch
CREATE TABLE d (k int UNIQUE DEFERRABLE INITIALLY DEFERRED, t text) USING glassheap;
INSERT INTO d VALUES (1, 'one'), (2, 'two');
BEGIN;
UPDATE d SET k = k + 1;
COMMIT;
SELECT * FROM d ORDER BY k;
BEGIN;
INSERT INTO d VALUES (3, 'again');
COMMIT;
SELECT * FROM d ORDER BY k;
CREATE TABLE e (r int4range, EXCLUDE USING gist (r WITH &&) DEFERRABLE INITIALLY DEFERRED) USING glassheap;
BEGIN;
INSERT INTO e VALUES ('[1,5)'), ('[4,8)');
DELETE FROM e WHERE r = '[4,8)';
COMMIT;
BEGIN;
INSERT INTO e VALUES ('[4,8)');
COMMIT;
SELECT * FROM e;

DROP FUNCTION both_ways(text);
DROP TABLE i, d, e;
