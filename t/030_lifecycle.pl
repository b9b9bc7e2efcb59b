# t/030_lifecycle.pl: birth and death of files: whatever happens to them, no page of a dead file is written or seen
# again, and nothing of a living one is lost.  Everything is looked at before and after kill -9, and on a standby.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', max_prepared_transactions => 5, wal_keep_size => '1GB');
my $standby = new_standby($node, 'standby', max_standby_streaming_delay => '100s');

my @tables;

# The same rows here, after kill -9 right behind a checkpoint, and on the standby.
sub survives
{
	my ($what, @names) = @_;
	my @before = map { table_digest($node, $_) } @names;
	$node->safe_psql('postgres', 'CHECKPOINT');
	kill_server_9($node);
	$node->start;
	is(table_digest($node, $names[$_]), $before[$_], "$what: $names[$_] after a crash") for 0 .. $#names;
	$node->wait_for_catchup($standby, 'replay');
	is(table_digest($standby, $names[$_]), $before[$_], "$what: $names[$_] on the standby") for 0 .. $#names;
	return;
}

# files.L1: no frame belongs to a file that is gone.
sub no_orphans
{
	my ($what) = @_;
	return unless is_glassheap();
	is($node->safe_psql('postgres', <<'SQL'), '', "$what: no frame of a file that is gone");
SELECT DISTINCT relfilenode FROM glassheap_buffercache b
WHERE reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relfilenode = b.relfilenode)
SQL
	return;
}

# Rows in the table afterwards, as a number.
sub rows { my ($table) = @_; return $node->safe_psql('postgres', "SELECT count(*) FROM $table"); }

# ---- DROP, TRUNCATE, rewrites, with pages that are dirty in the pool
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE dropped AS SELECT g, repeat('d', 100) FROM generate_series(1, 5000) g;
DROP TABLE dropped;
CREATE TABLE truncated AS SELECT g AS a, repeat('t', 100) AS b FROM generate_series(1, 5000) g;
CREATE INDEX ON truncated (a);
TRUNCATE truncated;
INSERT INTO truncated SELECT g, 'again' FROM generate_series(1, 10) g;
CREATE TABLE rewritten AS SELECT g AS a, repeat('r', 100) AS b FROM generate_series(1, 5000) g;
ALTER TABLE rewritten ALTER COLUMN a TYPE bigint;
VACUUM FULL rewritten;
CREATE INDEX rewritten_a ON rewritten (a);
CLUSTER rewritten USING rewritten_a;
CREATE TABLE adopted (a int, b text) USING heap;
INSERT INTO adopted SELECT g, repeat('h', 100) FROM generate_series(1, 3000) g;
CREATE MATERIALIZED VIEW matview AS SELECT a FROM rewritten;
INSERT INTO rewritten VALUES (0, 'one more');
REFRESH MATERIALIZED VIEW matview;
SQL
$node->safe_psql('postgres', 'ALTER TABLE adopted SET ACCESS METHOD ' . access_method());
$node->safe_psql('postgres', 'UPDATE adopted SET a = a + 1');
is(rows('truncated'), 10, 'TRUNCATE leaves what came later');
is(rows('matview'), 5001, 'REFRESH shows the new row');
no_orphans('files replaced');
survives('files replaced', qw(truncated rewritten adopted matview));
$node->safe_psql('postgres', 'ALTER TABLE adopted SET ACCESS METHOD heap; ALTER TABLE adopted SET ACCESS METHOD ' . access_method());
survives('there and back', 'adopted');

# ---- aborts: the files of the transaction go, the older ones stay
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE keeper AS SELECT g AS a, repeat('k', 200) AS b FROM generate_series(1, 3000) g;
BEGIN;
CREATE TABLE never AS SELECT g, repeat('n', 200) FROM generate_series(1, 5000) g;
TRUNCATE keeper;
INSERT INTO keeper SELECT g, 'lost' FROM generate_series(1, 4000) g;
ROLLBACK;
BEGIN;
INSERT INTO keeper VALUES (-1, 'kept');
SAVEPOINT s;
TRUNCATE keeper;
INSERT INTO keeper SELECT g, 'lost' FROM generate_series(1, 4000) g;
CREATE TABLE never AS SELECT g, repeat('n', 200) FROM generate_series(1, 5000) g;
ROLLBACK TO s;
INSERT INTO keeper VALUES (-2, 'kept');
COMMIT;
SQL
is(rows('keeper'), 3002, 'rolled-back TRUNCATEs leave the rows');
is($node->safe_psql('postgres', 'SELECT count(*) FROM keeper WHERE a < 0'), 2, 'also those from before the savepoint');
no_orphans('aborted');
survives('aborted', 'keeper');

# ---- truncate a table created in the same transaction (in place), and ON COMMIT DELETE ROWS
$node->safe_psql('postgres', <<'SQL');
BEGIN;
CREATE TABLE in_place (a int, b text);
INSERT INTO in_place SELECT g, repeat('i', 200) FROM generate_series(1, 3000) g;
TRUNCATE in_place;
INSERT INTO in_place SELECT g, 'second' FROM generate_series(1, 100) g;
COMMIT;
SQL
is(rows('in_place'), 100, 'truncation in place');
survives('truncated in place', 'in_place');
is( $node->safe_psql('postgres', <<'SQL'),
CREATE TEMP TABLE emptied (a int, b text) ON COMMIT DELETE ROWS;
BEGIN; INSERT INTO emptied SELECT g, repeat('e', 200) FROM generate_series(1, 2000) g; SELECT count(*) FROM emptied; COMMIT;
SELECT count(*) FROM emptied;
BEGIN; INSERT INTO emptied VALUES (1, 'x'); SELECT count(*) FROM emptied; COMMIT;
SQL
	"2000\n0\n1", 'ON COMMIT DELETE ROWS');

# ---- temporary tables: their pages are in a pool of the backend's own, with no list of core to rely on.  More pages
# than temp_buffers, so that pages of dropped tables would be written to files that are gone.
is( $node->safe_psql('postgres', <<'SQL'),
SET temp_buffers = 100;
CREATE TEMP TABLE t1 AS SELECT g AS a, repeat('1', 500) AS b FROM generate_series(1, 3000) g;
DROP TABLE t1;
CREATE TEMP TABLE t2 AS SELECT g AS a, repeat('2', 500) AS b FROM generate_series(1, 3000) g;
BEGIN;
CREATE TEMP TABLE t3 AS SELECT g AS a, repeat('3', 500) AS b FROM generate_series(1, 3000) g;
SAVEPOINT s;
CREATE TEMP TABLE t4 AS SELECT g AS a, repeat('4', 500) AS b FROM generate_series(1, 3000) g;
TRUNCATE t2;
INSERT INTO t2 SELECT g, repeat('x', 500) FROM generate_series(1, 500) g;
ROLLBACK TO s;
DROP TABLE t3;
COMMIT;
BEGIN; DROP TABLE t2; ROLLBACK;
CREATE TEMP TABLE t5 AS SELECT g AS a, repeat('5', 500) AS b FROM generate_series(1, 3000) g;
CREATE INDEX ON t5 (a);
CLUSTER t5 USING t5_a_idx;
VACUUM FULL t5;
DELETE FROM t5 WHERE a > 100;
VACUUM t5;
SELECT count(*), count(DISTINCT b) FROM t2;
SELECT count(*), sum(a) FROM t5;
TRUNCATE t5;
SELECT count(*) FROM t5;
SQL
	"3000|1\n100|5050\n0", 'temporary tables come and go');

# ---- VACUUM gives the tail back; new rows take its place
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE tail (a int, b text);
INSERT INTO tail SELECT g, repeat('v', 200) FROM generate_series(1, 10000) g;
DELETE FROM tail WHERE a > 100;
VACUUM tail;
SQL
my $blocks = $node->safe_psql('postgres', "SELECT pg_relation_size('tail') / 8192");
cmp_ok($blocks, '<', 10, 'the tail is given back');
$node->safe_psql('postgres', "INSERT INTO tail SELECT g, repeat('w', 200) FROM generate_series(1, 3000) g");
survives('tail', 'tail');
is($node->safe_psql('postgres', "SELECT count(*) FROM tail WHERE b LIKE 'w%'"), 3000, 'rows after the truncation');

# ---- unlogged: empty after a crash, kept over a shutdown; SET LOGGED and back
$node->safe_psql('postgres', <<'SQL');
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY, b text);
INSERT INTO unlogged SELECT g, repeat('u', 100) FROM generate_series(1, 3000) g;
CREATE UNLOGGED TABLE later (a int, b text);
INSERT INTO later SELECT g, repeat('l', 100) FROM generate_series(1, 3000) g;
CREATE TABLE sooner AS SELECT g AS a, repeat('s', 100) AS b FROM generate_series(1, 3000) g;
SQL
$node->restart;
is(rows('unlogged'), 3000, 'unlogged rows survive a shutdown');
$node->safe_psql('postgres', 'ALTER TABLE later SET LOGGED; ALTER TABLE sooner SET UNLOGGED; INSERT INTO unlogged VALUES (0, NULL)');
my $later = table_digest($node, 'later');
$node->safe_psql('postgres', 'CHECKPOINT');
kill_server_9($node);
$node->start;
is(rows('unlogged'), 0, 'unlogged rows are gone after a crash');
is(rows('sooner'), 0, 'so are those of a table that became unlogged');
is(table_digest($node, 'later'), $later, 'and a table that became logged has its rows');
$node->safe_psql('postgres', "INSERT INTO unlogged SELECT g, 'new' FROM generate_series(1, 50) g");
is(rows('unlogged'), 50, 'the reset table works');
$node->wait_for_catchup($standby, 'replay');
is(table_digest($standby, 'later'), $later, 'SET LOGGED arrives on the standby');

# ---- tablespaces
my $space = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', "SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE mover (a int PRIMARY KEY, b text);
INSERT INTO mover SELECT g, repeat('m', 300) FROM generate_series(1, 3000) g;
VACUUM mover;
ALTER TABLE mover SET TABLESPACE elsewhere;
UPDATE mover SET a = -a WHERE a % 2 = 0;
ALTER TABLE mover SET TABLESPACE pg_default;
UPDATE mover SET a = a + 100000 WHERE a % 3 = 0;
ALTER TABLE mover SET TABLESPACE elsewhere;
CREATE UNLOGGED TABLE unlogged_mover AS SELECT g AS a FROM generate_series(1, 1000) g;
ALTER TABLE unlogged_mover SET TABLESPACE elsewhere;
SQL
is(rows('unlogged_mover'), 1000, 'an unlogged table moves with its rows');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM mover WHERE a IN (-2, 100003, 5, -4, 7, 99994)'), 6, 'rows are found through the index');
is($node->safe_psql('postgres', <<'SQL'), '1000', 'a temporary table moves');
CREATE TEMP TABLE temp_mover AS SELECT g AS a FROM generate_series(1, 1000) g;
ALTER TABLE temp_mover SET TABLESPACE elsewhere;
SELECT count(*) FROM temp_mover;
SQL
no_orphans('tablespace');
survives('tablespace', 'mover');
is(rows('unlogged_mover'), 0, 'an unlogged table in a tablespace is reset');

# ---- two-phase commit: no callback tells us when its files go
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE prepared_drop AS SELECT g AS a, repeat('p', 200) AS b FROM generate_series(1, 3000) g;
CREATE TABLE prepared_keep AS SELECT g AS a, repeat('p', 200) AS b FROM generate_series(1, 3000) g;
BEGIN; DROP TABLE prepared_drop; PREPARE TRANSACTION 'drop';
BEGIN; TRUNCATE prepared_keep; INSERT INTO prepared_keep VALUES (1, 'lost'); PREPARE TRANSACTION 'truncate';
BEGIN; CREATE TABLE prepared_new AS SELECT g AS a, repeat('q', 200) AS b FROM generate_series(1, 3000) g; PREPARE TRANSACTION 'create';
BEGIN; CREATE TABLE prepared_never AS SELECT g AS a FROM generate_series(1, 3000) g; PREPARE TRANSACTION 'never';
SQL
kill_server_9($node);
$node->start;
$node->safe_psql('postgres', <<'SQL');
COMMIT PREPARED 'drop';
ROLLBACK PREPARED 'truncate';
COMMIT PREPARED 'create';
ROLLBACK PREPARED 'never';
CREATE TABLE prepared_never AS SELECT g AS a FROM generate_series(1, 30) g;
SQL
is($node->safe_psql('postgres', "SELECT to_regclass('prepared_drop') IS NULL"), 't', 'a prepared DROP is done');
is(rows('prepared_keep'), 3000, 'a prepared TRUNCATE is undone');
no_orphans('prepared');
survives('prepared', qw(prepared_keep prepared_new prepared_never));

# ---- many files at once: the checkpointer must not meet a file that is gone
$node->safe_psql('postgres', <<'SQL');
DO $$
BEGIN
  FOR i IN 1 .. 60 LOOP
    EXECUTE format('CREATE TABLE many%s AS SELECT g AS a, repeat(''z'', 100) AS b FROM generate_series(1, 300) g', i);
  END LOOP;
END $$;
DO $$ BEGIN FOR i IN 1 .. 60 LOOP EXECUTE format('DROP TABLE many%s', i); END LOOP; END $$;
CHECKPOINT;
SQL
no_orphans('many tables dropped');
survives('many tables dropped', 'keeper');
unlike(slurp_file($node->logfile), qr/PANIC|could not fsync|could not open file/, 'no late write to a file that was gone');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
$standby->stop('fast');
command_ok([ $standby->installed_command('pg_checksums'), '--check', '-D', $standby->data_dir ], 'also on the standby');
done_testing();
