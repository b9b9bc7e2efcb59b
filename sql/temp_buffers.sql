-- temp_buffers: as with heap, it can be changed until the session first uses a temporary table, and not afterwards.
\c -
SET temp_buffers = 200;
CREATE TEMP TABLE small (a int, b text) USING glassheap;
INSERT INTO small SELECT g, repeat('t', 500) FROM generate_series(1, 5000) g;
SET temp_buffers = 400;
SHOW temp_buffers;
SET temp_buffers = 200;  -- the present value
SELECT count(*), sum(a) FROM small;
-- Creating a table does not count; its first page does.
\c -
CREATE TEMP TABLE still_empty (a int) USING glassheap;
SET temp_buffers = 300;
INSERT INTO still_empty VALUES (1);
SET temp_buffers = 400;
SELECT a FROM still_empty;
