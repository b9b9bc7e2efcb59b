-- Rows by address: TID scans, TID ranges in both directions, currtid2.
CREATE TABLE t (id int, filler text) USING glassheap;
INSERT INTO t SELECT g, repeat('x', 700) FROM generate_series(1, 50) g;
DELETE FROM t WHERE id IN (5, 12, 13, 30);

SELECT id FROM t WHERE ctid = '(0,1)';
SELECT id FROM t WHERE ctid = '(0,5)';      -- deleted
SELECT id FROM t WHERE ctid = '(0,99)';     -- no such line pointer
SELECT id FROM t WHERE ctid = '(9999,1)';   -- no such block
SELECT id FROM t WHERE ctid IN ('(2,3)', '(0,2)', '(1,1)') ORDER BY id;
SELECT id FROM t WHERE ctid = ANY (ARRAY['(0,2)', '(0,2)']::tid[]);

SELECT id, ctid FROM t WHERE ctid >= '(1,0)' AND ctid < '(2,0)';
SELECT id, ctid FROM t WHERE ctid > '(0,9)' AND ctid <= '(1,3)';
SELECT count(*) FROM t WHERE ctid < '(0,0)';
SELECT count(*) FROM t WHERE ctid >= '(4294967295,65535)';
SELECT count(*) FROM t WHERE ctid > '(3,0)' AND ctid < '(1,0)';
SELECT count(*) FROM t WHERE ctid < '(4294967295,65535)';
SELECT max(ctid) FROM t WHERE ctid <= '(2,2)';

BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, ctid FROM t WHERE ctid >= '(1,2)' AND ctid <= '(1,6)';
FETCH ALL FROM c;
FETCH BACKWARD ALL FROM c;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
FETCH FIRST FROM c;
COMMIT;

-- nested loops rescan TID ranges
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT n, (SELECT count(*) FROM t WHERE ctid >= format('(%s,0)', n)::tid
                                    AND ctid < format('(%s,0)', n + 1)::tid)
  FROM generate_series(0, 6) n;
RESET ALL;

-- the newest version of a row
CREATE TABLE v (id int) USING glassheap;
INSERT INTO v VALUES (1);
UPDATE v SET id = 2;
UPDATE v SET id = 3;
SELECT currtid2('v'::text, '(0,1)'::tid);
SELECT currtid2('v'::text, '(0,2)'::tid);
DELETE FROM v;
SELECT currtid2('v'::text, '(0,1)'::tid);
SELECT currtid2('v'::text, '(7,1)'::tid);
DROP TABLE t, v;
