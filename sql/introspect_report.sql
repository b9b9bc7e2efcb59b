-- glassheap_report: one page of HTML, whose numbers are those of the SQL functions, and which asks nothing of anybody.
CREATE TABLE shown (id int PRIMARY KEY, v text, n int) USING glassheap WITH (autovacuum_enabled = off, fillfactor = 80);
INSERT INTO shown SELECT g, repeat('v', g % 200), 0 FROM generate_series(1, 5000) g;
VACUUM shown;
UPDATE shown SET n = 1 WHERE id <= 5;
DELETE FROM shown WHERE id BETWEEN 1000 AND 1500;
VACUUM shown;
UPDATE shown SET n = 2 WHERE id <= 3;

CREATE FUNCTION number(page text, id text) RETURNS bigint LANGUAGE sql AS $$
    SELECT (regexp_match(page, 'id="' || id || '" data-value="([0-9]+)"'))[1]::bigint
$$;
CREATE TABLE page AS SELECT glassheap_report('shown') AS html;
SELECT html LIKE '<!doctype html>%</html>' || chr(10) AS whole, html ~ 'https?:|@import|<link|<img|<iframe|src=' AS asks,
       length(html) BETWEEN 20000 AND 500000 AS size FROM page;
SELECT number(html, 'n-pages') = pg_relation_size('shown') / 8192 AS pages,
       number(html, 'n-bytes') = pg_relation_size('shown') AS bytes,
       number(html, 'n-all-visible') = (SELECT all_visible FROM glassheap_visibility_map_summary('shown')) AS all_visible,
       number(html, 'n-all-frozen') = (SELECT all_frozen FROM glassheap_visibility_map_summary('shown')) AS all_frozen,
       number(html, 'n-free') = (SELECT sum(avail) FROM glassheap_freespace('shown')) AS free
  FROM page;
-- The page drawn is the one with chains; another can be asked for.
SELECT number(html, 'd-block') AS drawn, (SELECT (live, dead, redirected, unused, free) FROM glassheap_pages('shown') WHERE blkno = number(html, 'd-block'))
       = (number(html, 'd-normal')::int, number(html, 'd-dead')::int, number(html, 'd-redirected')::int, number(html, 'd-unused')::int,
          number(html, 'd-free')::int) AS same, html LIKE '%class="arrow%' AS chains FROM page;
SELECT number(glassheap_report('shown', 7), 'd-block');
-- As many cells as pages, each page once.
SELECT count(*) = pg_relation_size('shown') / 8192 AS cells
  FROM page, json_array_elements((regexp_match(html, 'id="map-data">(.*?)</script>'))[1]::json -> 'cells');
SELECT json_array_length((regexp_match(html, 'id="page-data">(.*?)</script>'))[1]::json)
       = (SELECT max(lp) FROM glassheap_page_items('shown', number(html, 'd-block'))) AS items FROM page;
-- Names are escaped; an empty table has a report, too.
CREATE TABLE "<b>&'""</b>" (id int) USING glassheap;
SELECT glassheap_report('"<b>&''""</b>"') LIKE '%&lt;b&gt;&amp;&#39;&quot;&lt;/b&gt;%' AS escaped,
       glassheap_report('"<b>&''""</b>"') LIKE '%<b>&''%' AS unescaped, glassheap_report('"<b>&''""</b>"') LIKE '%The table has no pages.%' AS empty;

-- The same map for psql: as many characters as pages, in three pictures.
SELECT line FROM glassheap_map('shown', 40) AS line WHERE line ~ '[a-z]{4}';
SELECT count(*) FILTER (WHERE line LIKE '         0 %') AS pictures,
       sum(length(substr(line, 12))) = 3 * pg_relation_size('shown') / 8192 AS characters
  FROM glassheap_map('shown', 40) AS line WHERE line ~ '^ *[0-9]+ [#.0-9A-Zvc]+$';

DROP TABLE shown, page, "<b>&'""</b>"; DROP FUNCTION number(text, text);
