-- Which libraries of this session call heap's own functions, and where those calls lead; the setting.
SELECT name, setting, enumvals, context FROM pg_settings WHERE name IN ('glassheap.import_guard', 'glassheap.unguarded_libraries') ORDER BY 1;
LOAD 'pgrowlocks';
SELECT substring(library FROM '[^/]*$') AS library, function, answer, entries > 0 AS imported, guarded = entries AS guarded
  FROM glassheap_foreign_writers() WHERE library ~ 'pgrowlocks' ORDER BY 2;
-- Our own library and the server are not foreign, and what asks first keeps its answer.
SELECT count(*) FROM glassheap_foreign_writers() WHERE library ~ '/glassheap[^/]*$' OR library = '';
CREATE EXTENSION pgrowlocks;
CREATE TABLE ours (id int) USING glassheap;
CREATE TABLE heaps (id int) USING heap;
INSERT INTO ours VALUES (1);
INSERT INTO heaps VALUES (1);
BEGIN;
SELECT * FROM heaps FOR UPDATE;
SELECT count(*) FROM pgrowlocks('heaps');
ROLLBACK;
SELECT * FROM pgrowlocks('ours');
-- Catalogs and TOAST tables are heap tables: the guard lets them through, whatever it is set to.
SET glassheap.import_guard = refuse;
SELECT count(*) FROM pgrowlocks('pg_class');
RESET glassheap.import_guard;
SET glassheap.import_guard = maybe;
DROP TABLE ours, heaps;
DROP EXTENSION pgrowlocks;
