# t/190_insert_runs.pl: the rows that one statement inserts into a table without indexes are gathered page by page (design.D10).
# They are logged once a page, everybody sees what heap would show, also in the middle of the statement, and whoever comes
# between the gathering and the storing (another session's rows, VACUUM, a checkpoint, a crash, a serializable reader)
# meets an empty page.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap logs each row' unless is_glassheap();
my $node = new_node('main');
my $standby = new_standby($node, 'standby');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sql('CREATE EXTENSION pg_walinspect');

# Records of rows that a statement writes, as "insert/multi_insert/images".
sub records
{
	my (@statements) = @_;
	my $from = $node->lsn('insert');
	sql($_) for @statements;
	sql('SELECT pg_switch_wal()');    # so that all of it is flushed
	my $to = $node->lsn('flush');
	my $kinds = "SELECT lower(record_type) AS kind FROM pg_get_wal_records_info('$from', '$to') WHERE resource_manager = 'glassheap'";
	return sql("SELECT count(*) FILTER (WHERE kind ~ '^insert') || '/' || count(*) FILTER (WHERE kind ~ '^multi_insert') || '/' || count(*) FILTER (WHERE kind ~ '^new_pages') FROM ($kinds) k");
}

# ---- it happens, and where it does not

my $rows = "SELECT g AS id, 'row ' || g AS v FROM generate_series(1, 2000) g";
my ($alone, $together) = (qr{^([0-9]+)/([1-9][0-9]*)/0$}, qr{^2000/0/0$});
sql("CREATE TABLE s (id int, v text); CREATE TABLE k (id int PRIMARY KEY, v text); CREATE TEMP TABLE nothing (id int)");
like(records("INSERT INTO s $rows"), $alone, 'INSERT ... SELECT: pages');
my ($single) = records("CREATE TABLE c AS $rows") =~ $alone;
cmp_ok($single // 9999, '<', 300, 'CREATE TABLE AS: all pages but the first');
like(records("ALTER TABLE c ALTER id TYPE bigint"), $alone, 'ALTER TABLE that rewrites');
like(records("CREATE MATERIALIZED VIEW m AS $rows"), $alone, 'CREATE MATERIALIZED VIEW');
like(records('REFRESH MATERIALIZED VIEW m'), $alone, 'REFRESH MATERIALIZED VIEW');
is(sql("SELECT bool_and(all_visible AND all_frozen) FROM glassheap_visibility_map('m') WHERE blkno > 0"), 't', '... whose pages are visible and frozen at once');
like(records("INSERT INTO k $rows"), $together, 'not beside an index');
like(records("SET glassheap.insert_runs = off; INSERT INTO s $rows"), $together, 'not with glassheap.insert_runs = off');
is(records(map { "INSERT INTO s VALUES ($_)" } 1 .. 20), '20/0/0', 'nor from one statement to the next');
like(records('INSERT INTO s VALUES ' . join ',', map { "($_, repeat('v', 100))" } 1 .. 300), $alone, 'VALUES with many rows: pages');

# ---- as heap, in the middle of the statement too

# What a function sees that the statement calls for each row; triggers; errors that are caught; cursors.
sub scenario
{
	my ($am) = @_;
	return <<"SQL";
SET client_min_messages = error;
DROP SCHEMA IF EXISTS s1 CASCADE;
CREATE SCHEMA s1;
SET search_path = s1;
SET default_table_access_method = $am;
CREATE TABLE t (id int, v text) WITH (autovacuum_enabled = off);
CREATE TABLE seen (n bigint);
CREATE FUNCTION rows_now() RETURNS bigint LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN (SELECT count(*) FROM t); END';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen SELECT count(*) FROM t WHERE id >= NEW.id; RETURN NEW; END';
CREATE FUNCTION fails(i int) RETURNS int LANGUAGE plpgsql AS \$\$
BEGIN
  BEGIN
    INSERT INTO t SELECT -g, repeat('s', 50) FROM generate_series(1, 500) g;
    IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
  EXCEPTION WHEN raise_exception THEN NULL;
  END;
  RETURN i;
END \$\$;
INSERT INTO t SELECT g, repeat('x', 30) FROM generate_series(1, 3000) g;
INSERT INTO t SELECT g, rows_now()::text FROM generate_series(3001, 3600) g;
INSERT INTO t SELECT g, CASE WHEN g % 250 = 0 THEN rows_now()::text END FROM generate_series(4001, 6000) g;
INSERT INTO t SELECT id + 10000, v FROM t;
BEGIN;
INSERT INTO t SELECT g, 'kept' FROM generate_series(20001, 20700) g;
SAVEPOINT a;
INSERT INTO t SELECT g, 'lost' FROM generate_series(21001, 21700) g;
ROLLBACK TO a;
INSERT INTO t SELECT g, 'kept too' FROM generate_series(22001, 22700) g;
RELEASE a;
DECLARE c CURSOR FOR SELECT count(*), sum(id) FROM t;
INSERT INTO t SELECT g, 'later' FROM generate_series(23001, 23700) g;
FETCH c;
UPDATE t SET v = v || '!' WHERE id > 23650;
DELETE FROM t WHERE id % 100 = 0;
COMMIT;
INSERT INTO t SELECT fails(g), repeat('f', 40) FROM generate_series(30001, 30030) g;
INSERT INTO t SELECT CASE WHEN g = 400 THEN fails(g) ELSE g END + 40000, repeat('f', 40) FROM generate_series(1, 800) g;
CREATE TRIGGER noting AFTER INSERT ON t FOR EACH ROW WHEN (NEW.id % 50 = 0) EXECUTE FUNCTION note();
INSERT INTO t SELECT g, 'after' FROM generate_series(50001, 50700) g;
DROP TRIGGER noting ON t;
CREATE TRIGGER noting BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id % 50 = 0) EXECUTE FUNCTION note();
INSERT INTO t SELECT g, 'before' FROM generate_series(60001, 60700) g;
WITH i AS (INSERT INTO t SELECT g, 'with' FROM generate_series(70001, 70700) g RETURNING id, ctid) SELECT count(*), sum(id), count(DISTINCT ctid) FROM i;
DO \$\$
BEGIN
  INSERT INTO t SELECT g, 'before the error' FROM generate_series(80001, 80300) g;
  BEGIN
    INSERT INTO t SELECT g + 0 / (80700 - g), 'in it' FROM generate_series(80401, 80800) g;
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
  INSERT INTO t SELECT g, 'after it' FROM generate_series(80801, 81100) g;
END \$\$;
CREATE FUNCTION reads_later(i int) RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE c refcursor := 'later'; r record; n int := 0;
BEGIN
  IF i = 1 THEN OPEN c FOR SELECT id FROM t WHERE id > 90000; END IF;
  IF i < 100 THEN RETURN i; END IF;
  LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; n := n + 1; END LOOP;
  CLOSE c;
  RETURN -n;
END \$\$;
INSERT INTO t SELECT 90000 + reads_later(g), repeat('l', 100) FROM generate_series(1, 100) g;
SELECT min(id) FROM t WHERE v = repeat('l', 100) AND id < 90000;
CREATE TABLE p (id int, v text) PARTITION BY HASH (id);
SELECT format('CREATE TABLE p%s PARTITION OF p FOR VALUES WITH (modulus 20, remainder %s)', g, g) FROM generate_series(0, 19) g \\gexec
INSERT INTO p SELECT g, repeat('p', g % 90) FROM generate_series(1, 20000) g;
SELECT count(*), sum(id), sum(length(v)) FROM p;
SELECT count(*), sum(n) FROM seen;
SELECT count(*), sum(id), sum(hashtext(v)), min(id), max(id) FROM t;
SELECT md5(string_agg(id || coalesce(v, '-'), ',' ORDER BY id, v)) FROM t;
DROP SCHEMA s1 CASCADE;
SQL
}
my ($heap, $ours) = map { sql(scenario($_)) } 'heap', 'glassheap';
is($ours, $heap, 'every statement and trigger sees what it sees in heap');
isnt($heap, '', '... and there was something to see');

# ---- at the end of a statement nothing is left in a run

sql('CREATE TABLE w (id int, v text)');
my $open = GlassheapSession->new($node);
my $kept = sub { return sql("SELECT count(*) FILTER (WHERE pins > 0) || ' of ' || (count(*) > 1) FROM glassheap_pages('w')"); };
$open->ask("BEGIN; INSERT INTO w SELECT g, repeat('w', 100) FROM generate_series(1, 100) g");
is($kept->(), '0 of true', 'no page is kept after a statement');
$open->ask("WITH i AS (INSERT INTO w SELECT g, repeat('w', 100) FROM generate_series(1, 100) g RETURNING id) SELECT 1");
is($kept->(), '0 of true', '... nor when its WITH was run at its end');
$open->ask('COMMIT');

# ---- below another subtransaction, and through a crash

sql('CREATE TABLE u (id int, v text)');
sql("CREATE FUNCTION looks(i int) RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN BEGIN IF i % 700 = 0 THEN PERFORM count(*) FROM u; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; RETURN i; END \$\$");
like(records("INSERT INTO u SELECT looks(g), repeat('u', 20) FROM generate_series(1, 3000) g"), qr{^[0-9]+/[1-9][0-9]*/[1-9][0-9]*$}, 'stored while a subtransaction runs: an image of the page');
is(sql('SELECT count(DISTINCT xmin::text) || \' \' || count(*) FROM u'), '1 3000', '... whose rows are the statement\'s');
sql('CHECKPOINT');
sql("INSERT INTO u SELECT looks(g), repeat('w', 20) FROM generate_series(3001, 6000) g");
my $digest = table_digest($node, 'u');
$node->wait_for_catchup($standby);
is(table_digest($standby, 'u'), $digest, '... the same on the standby');
kill_server_9($node);
$node->start;
is(table_digest($node, 'u'), $digest, '... and after a crash');

# ---- what an abort leaves

sql('CREATE TABLE a (id int, v text)');
$node->psql('postgres', "INSERT INTO a SELECT 1 / (4000 - g), repeat('a', 100) FROM generate_series(1, 4000) g");
is(sql('SELECT count(*) FROM a'), '0', 'an error: nothing is there');
my $size = sql("SELECT pg_relation_size('a')");
sql('VACUUM a');
sql("INSERT INTO a SELECT g, repeat('a', 100) FROM generate_series(1, 4000) g");
cmp_ok(sql("SELECT pg_relation_size('a')"), '<=', $size, '... and its pages are used again');
sql("BEGIN; INSERT INTO a SELECT g, 'prepared' FROM generate_series(5001, 7000) g; PREPARE TRANSACTION 'p1'");
kill_server_9($node);
$node->start;
is(sql('SELECT count(*) FROM a'), '4000', 'a prepared transaction is not seen');
sql("COMMIT PREPARED 'p1'");
is(sql('SELECT count(*) FROM a'), '6000', '... until it commits, through a crash');

# ---- who comes between

SKIP:
{
	skip 'needs a build with stop points', 1 unless has_stop_points($node);
	my $writer = GlassheapSession->new($node);
	sql('CREATE TABLE b (id int, v text)');
	$writer->ask("SELECT glassheap_stop_point_set('heap.run_before_store', 'wait')");
	$writer->begin("INSERT INTO b SELECT g, repeat('b', 100) FROM generate_series(1, 200) g");
	sql("SELECT glassheap_stop_point_wait('heap.run_before_store')");
	is(sql('SELECT count(*) FROM b'), '0', 'nobody else sees the rows');
	sql("SET glassheap.insert_runs = off; INSERT INTO b SELECT -g, repeat('o', 100) FROM generate_series(1, 300) g");
	sql('INSERT INTO b VALUES (-1000)');
	sql('VACUUM (FREEZE) b');
	sql('CHECKPOINT');
	is(sql('SELECT count(*) FROM b'), '301', 'rows of others, VACUUM and a checkpoint go past the page');
	sql("SELECT glassheap_stop_point_clear('heap.run_before_store')");
	$writer->end;
	is(sql('SELECT count(*), count(DISTINCT id), count(DISTINCT ctid) FROM b'), '501|501|501', '... and it takes its own rows');
	is(sql("SELECT count(*) FROM glassheap_verify('b')"), '0', '... whole');

	# A crash there: the rows were never there.
	$writer->ask("SELECT glassheap_stop_point_set('heap.run_before_store', 'wait')");
	$writer->begin("INSERT INTO b SELECT g, 'gone' FROM generate_series(1001, 1900) g");
	sql("SELECT glassheap_stop_point_wait('heap.run_before_store')");
	sql('CHECKPOINT');
	kill_server_9($node);
	$node->start;
	is(sql('SELECT count(*) FROM b'), '501', 'a crash before the page is stored: none of the rows');
	$writer = GlassheapSession->new($node);

	# Cancelled and rolled back there: the page is anybody's again.  The command's first rows fill most of the first page,
	# the run has the second.
	sql('CREATE TABLE d (id int, v text)');
	$writer->ask("SELECT glassheap_stop_point_set('heap.run_before_store', 'wait')");
	$writer->begin("INSERT INTO d SELECT g, repeat('c', 200) FROM generate_series(1, 50) g");
	sql("SELECT glassheap_stop_point_wait('heap.run_before_store')");
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'repeat..c., 200' AND pid <> pg_backend_pid()");
	sql("SELECT glassheap_stop_point_clear('heap.run_before_store')");
	like($writer->end, qr/57014/, 'cancelled');
	sql("SET glassheap.insert_runs = off; INSERT INTO d SELECT g, repeat('c', 200) FROM generate_series(1, 30) g");
	is(sql("SELECT pg_relation_size('d') / 8192 || ' ' || min(ctid)::text || ' ' || count(*) FROM d"), '2 (1,1) 30', '... the page takes rows again');

	# A serializable reader of the empty page, and a write of his that the writer has not seen.
	sql("CREATE TABLE e (id int, v text); CREATE TABLE f (id int)");
	# He reads the run's page only (block 1): on the one before are rows that were logged alone, which give the writer away.
	sql("CREATE TABLE e2 AS SELECT g, repeat('e', 100) FROM generate_series(1, 100) g");
	my ($sample) = grep { sql("SELECT string_agg(DISTINCT substring(ctid::text from '[0-9]+'), ',') FROM e2 TABLESAMPLE SYSTEM (50) REPEATABLE ($_)") eq '1' } 1 .. 50;
	my $reader = GlassheapSession->new($node);
	$writer->ask('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM f');
	$writer->ask("SELECT glassheap_stop_point_set('heap.run_before_store', 'wait')");
	$writer->begin("INSERT INTO e SELECT g, repeat('e', 100) FROM generate_series(1, 100) g");
	sql("SELECT glassheap_stop_point_wait('heap.run_before_store')");
	$reader->ask("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO f SELECT count(*) FROM e TABLESAMPLE SYSTEM (50) REPEATABLE ($sample)");
	sql("SELECT glassheap_stop_point_clear('heap.run_before_store')");
	my $answers = join ' ', $writer->end, $reader->ask('COMMIT'), $writer->ask('COMMIT');
	like($answers, qr/40001/, 'write skew beside a run of a serializable transaction is found');
}

# ---- many sessions with many partitions in a small pool: a run keeps a page pinned for as long as its statement takes

my $small = new_node('small', 'glassheap.buffers' => '1MB');
$small->safe_psql('postgres', 'CREATE TABLE p (id int, v text) PARTITION BY HASH (id)');
$small->safe_psql('postgres', "CREATE TABLE p$_ PARTITION OF p FOR VALUES WITH (modulus 16, remainder $_)") for 0 .. 15;
# Waits in an expression: a query would end the runs.
$small->safe_psql('postgres', 'CREATE FUNCTION waits(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF i = 3000 AND pg_advisory_xact_lock_shared(1) IS NULL THEN RETURN 0; END IF; RETURN i; END $$');
my $holder = GlassheapSession->new($small);
$holder->ask('SELECT pg_advisory_lock(1)');
my @writers = map { GlassheapSession->new($small) } 1 .. 14;
$_->begin("INSERT INTO p SELECT waits(g), repeat('p', 60) FROM generate_series(1, 4000) g") for @writers;
$small->poll_query_until('postgres', "SELECT count(*) = 14 FROM pg_stat_activity WHERE query ~ '^INSERT INTO p' AND (state <> 'active' OR wait_event = 'advisory')");
$holder->ask('SELECT pg_advisory_unlock(1)');
is(join('', map { $_->end } @writers), '', 'sixteen partitions in each of fourteen sessions leave room in a pool of 1 MB');
$small->stop;

$node->wait_for_catchup($standby);
is(table_digest($standby, $_), table_digest($node, $_), "the standby has the same $_") for qw(s c m u a);
$standby->stop;
$node->stop;
done_testing();
