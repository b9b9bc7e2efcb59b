-- The same history leaves the same pages: slots, offsets, header bits, data, visibility map (test/history).
-- Temporary tables, so that no foreign snapshot keeps versions alive on one side only.
CREATE EXTENSION pageinspect;
CREATE EXTENSION pg_visibility;
\getenv source PG_ABS_SRCDIR
\getenv build PG_ABS_BUILDDIR
\set heap_pages :build '/results/page_history.heap'
\set our_pages :build '/results/page_history.glassheap'
\set history :source '/test/history/pages.psql'
\set kind TEMP
\set ECHO none
\o :heap_pages
\set am heap
\set raw_page get_raw_page
\set map pg_visibility_map
\i :history
\o :our_pages
\set am glassheap
\set raw_page glassheap_get_raw_page
\set map glassheap_visibility_map
\i :history
\o
\! cd "$PG_ABS_BUILDDIR/results" && cmp page_history.heap page_history.glassheap && echo equal
\! [ $(wc -l < "$PG_ABS_BUILDDIR/results/page_history.heap") -gt 500 ] && echo enough to compare
DROP EXTENSION pageinspect, pg_visibility;
