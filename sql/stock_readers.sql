-- contrib's page readers look through shared_buffers, where our pages are not; they must see the truth all the same.
CREATE EXTENSION IF NOT EXISTS pageinspect;
CREATE EXTENSION IF NOT EXISTS pg_freespacemap;
CREATE EXTENSION IF NOT EXISTS pg_visibility;

CREATE TABLE stock_read (a int) USING glassheap WITH (autovacuum_enabled = off);
INSERT INTO stock_read SELECT generate_series(1, 10);
-- Only our pool has the page by now.
SELECT count(*) FROM heap_page_items(get_raw_page('stock_read', 0));
-- And now shared_buffers has an old copy.
INSERT INTO stock_read SELECT generate_series(11, 15);
SELECT count(*) FROM heap_page_items(get_raw_page('stock_read', 0));
-- The same bytes, but for the checksum that the writing put in.
SELECT substr(get_raw_page('stock_read', 0), 11) = substr(glassheap_get_raw_page('stock_read', 0), 11) AS same;
SELECT pd_all_visible FROM pg_visibility('stock_read', 0);
VACUUM stock_read;
SELECT pd_all_visible FROM pg_visibility('stock_read', 0);
SELECT s.avail = g.avail AS same, s.avail > 0 AS some
FROM pg_freespace('stock_read') s JOIN glassheap_freespace('stock_read') g USING (blkno);
DELETE FROM stock_read WHERE a > 5;
VACUUM (TRUNCATE off) stock_read;
SELECT s.avail = g.avail AS same FROM pg_freespace('stock_read') s JOIN glassheap_freespace('stock_read') g USING (blkno);
SELECT lower - 24 AS line_pointer_bytes FROM page_header(get_raw_page('stock_read', 'main', 0));

-- A temporary table's pages are in a pool of this session's own.
CREATE TEMP TABLE stock_temp (a int) USING glassheap;
INSERT INTO stock_temp VALUES (1), (2);
SELECT count(*) FROM heap_page_items(get_raw_page('stock_temp', 0));
-- And now core's local buffers have an old copy.
INSERT INTO stock_temp VALUES (3);
SELECT count(*) FROM heap_page_items(get_raw_page('stock_temp', 0));
VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) stock_temp;
SELECT count(*) FROM heap_page_items(get_raw_page('stock_temp', 0)) WHERE t_infomask & 768 = 768;

-- These two would change their copies and write them back over ours.
SELECT pg_check_visible('stock_read');
SELECT pg_check_frozen('stock_read');
-- After the error the readers still work, and heap's tables may be checked.
SELECT count(*) FROM heap_page_items(get_raw_page('stock_read', 0)) WHERE lp_flags = 1;
CREATE TABLE stock_heap (a int) USING heap;
INSERT INTO stock_heap VALUES (1);
SELECT pg_check_visible('stock_heap');
DROP TABLE stock_read, stock_temp, stock_heap;
DROP EXTENSION pageinspect, pg_freespacemap, pg_visibility;
