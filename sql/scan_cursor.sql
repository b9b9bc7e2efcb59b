-- Cursors: forward, backward, past both ends, over holes, while the table changes.
CREATE TABLE rows (id int, filler text) USING glassheap;
INSERT INTO rows SELECT g, repeat('x', 300) FROM generate_series(1, 100) g;  -- several pages
DELETE FROM rows WHERE id % 10 = 0;

BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, ctid FROM rows;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH BACKWARD 5 FROM c;  -- falls off the start
FETCH 2 FROM c;
MOVE 80 FROM c;
FETCH 100 FROM c;
FETCH FROM c;             -- behind the end
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
FETCH ABSOLUTE 30 FROM c;
FETCH RELATIVE -3 FROM c;
FETCH RELATIVE 0 FROM c;
COMMIT;

-- A cursor sees what was there when it was opened.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM rows WHERE id <= 5;
FETCH 2 FROM c;
DELETE FROM rows WHERE id = 3;
INSERT INTO rows VALUES (4, 'another four');
FETCH ALL FROM c;
ROLLBACK;

-- Its pin survives the subtransaction it was last used in.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM rows;
SAVEPOINT s;
FETCH 2 FROM c;
ROLLBACK TO s;
FETCH 2 FROM c;
SAVEPOINT t;
FETCH 2 FROM c;
RELEASE t;
FETCH 2 FROM c;
COMMIT;

-- Holdable: reads to the end at commit.
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM rows WHERE id < 6;
FETCH 1 FROM h;
COMMIT;
UPDATE rows SET id = id + 1000 WHERE id < 6;
FETCH ALL FROM h;
CLOSE h;
UPDATE rows SET id = id - 1000 WHERE id > 1000;

-- WHERE CURRENT OF
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM rows WHERE id BETWEEN 11 AND 14 FOR UPDATE;
FETCH 1 FROM c;
UPDATE rows SET filler = 'current' WHERE CURRENT OF c;
FETCH 1 FROM c;
DELETE FROM rows WHERE CURRENT OF c;
FETCH ALL FROM c;
COMMIT;
SELECT id, left(filler, 8) FROM rows WHERE id BETWEEN 11 AND 14 ORDER BY id;

-- An error in the middle of a scan leaves nothing behind that a commit would complain of.
BEGIN;
SAVEPOINT s;
SELECT 1 / (id - 55) FROM rows;
ROLLBACK TO s;
SELECT count(*) FROM rows;
COMMIT;

-- Empty tables, and tables that are emptied.
CREATE TABLE empty (id int) USING glassheap;
SELECT * FROM empty;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT * FROM empty;
FETCH BACKWARD 1 FROM c;
FETCH 1 FROM c;
COMMIT;
DELETE FROM rows;
SELECT count(*) FROM rows;
VACUUM rows;
SELECT count(*), pg_relation_size('rows') FROM rows;

DROP TABLE rows, empty;
