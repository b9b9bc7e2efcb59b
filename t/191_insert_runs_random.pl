# t/191_insert_runs_random.pl: random programs of statements that bring rows in runs (design.D10): from queries that call
# functions which look at the same table, insert into it, fail or catch errors; below savepoints, in prepared transactions,
# into partitions, beside rewrites, truncations and VACUUM.  Heap gives the same answers, also after a crash; the standby has
# the same pages (GlassheapNode compares all forks at the end).
# GH_SEED=n repeats a run, GH_PROGRAMS=n is how many.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'compares with heap' unless is_glassheap();
my $seed = seed_from_environment();
my $programs = $ENV{GH_PROGRAMS} // 6;
my $node = new_node('main', 'glassheap.buffers' => '4MB', max_connections => 20);    # evictions, too, and room for several runs
my $standby = new_standby($node, 'standby');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect');
my $start = $node->lsn('insert');

sub any { return $_[ int rand @_ ]; }
my @tables = qw(t0 t1 t2 p);
my $prepared = 0;

sub a_series
{
	my $from = int rand 1_000_000;
	return sprintf 'generate_series(%d, %d) g', $from, $from + int rand any(5, 50, 600, 3000);
}

# A column's expression: plain, or a function that does something to a table in the middle of the statement.
sub an_id
{
	my $every = any(1, 7, 150, 400, 900);
	return any(('g') x 5, "CASE WHEN g % $every = 0 THEN looks('" . any(@tables) . "', g) ELSE g END", "CASE WHEN g % 300 = 0 THEN inserts('" . any(@tables) . "', g, " . any(0, 1, 2) . ') ELSE g END', "g + 0 / (g % " . any(1000, 5000) . ')');
}
sub a_text { return any("repeat('x', g % " . any(10, 120, 900) . ')', "'short'", 'NULL', "repeat(md5(g::text), " . any(1, 3, 20, 90) . ')'); }

sub an_insert
{
	my $table = any(@tables);
	return any(
		("INSERT INTO $table SELECT " . an_id() . ', ' . a_text() . ' FROM ' . a_series()) x 3,
		"INSERT INTO $table SELECT id + 1, v FROM " . any(@tables) . ' ORDER BY id, v LIMIT 700',
		"WITH i AS (INSERT INTO $table SELECT " . an_id() . ', ' . a_text() . ' FROM ' . a_series() . ' RETURNING id) SELECT count(*), sum(id) FROM i',
		"INSERT INTO $table VALUES " . join ', ', map { "($_, repeat('v', $_))" } 1 .. 1 + int rand 60);
}

sub a_statement
{
	my $table = any(@tables);
	return any(
		(an_insert()) x 6,
		"SELECT count(*), sum(id), sum(hashtext(v)) FROM $table",
		"UPDATE $table SET v = v || 'u' WHERE id % 97 = " . int rand 97,
		"DELETE FROM $table WHERE id % 13 = " . int rand 13,
		'DROP TABLE IF EXISTS c; CREATE TABLE c AS SELECT ' . an_id() . ' AS id, ' . a_text() . ' AS v FROM ' . a_series() . '; SELECT count(*), sum(id), sum(hashtext(v)) FROM c',
		'REFRESH MATERIALIZED VIEW m; SELECT count(*), sum(n) FROM m',
		"ALTER TABLE $table ALTER id TYPE " . any('bigint', 'numeric', 'bigint'),
		any("TRUNCATE $table", 'SELECT 1'),
		"DECLARE c" . int(rand 1e9) . " CURSOR FOR SELECT count(*) FROM $table");
}

sub a_transaction
{
	my @statements = ('BEGIN ISOLATION LEVEL ' . any('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'));
	my @savepoints;
	for (1 .. 2 + int rand 7)
	{
		push @statements, a_statement();
		if (rand() < 0.3) { push @savepoints, 's' . @savepoints; push @statements, "SAVEPOINT $savepoints[-1]"; }
		if (@savepoints && rand() < 0.4) { push @statements, any('ROLLBACK TO ', 'RELEASE ') . pop @savepoints; }
	}
	my $name = 'x' . ++$prepared;
	return (@statements, any(('COMMIT') x 4, 'ROLLBACK', "PREPARE TRANSACTION ':am$name'; " . any('COMMIT', 'ROLLBACK') . " PREPARED ':am$name'"));
}

sub a_program
{
	my @statements;
	for (1 .. 12)
	{
		my $kind = rand;
		push @statements, $kind < 0.5 ? a_transaction() : $kind < 0.9 ? a_statement() : 'VACUUM ' . any(@tables);
	}
	return (@statements, map { "SELECT '$_', count(*), sum(id), sum(hashtext(v)) FROM $_" } @tables);
}

my $set_up = <<'SQL';
CREATE TABLE t0 (id bigint, v text); CREATE TABLE t1 (id bigint, v text) WITH (fillfactor = 60); CREATE UNLOGGED TABLE t2 (id bigint, v text);
CREATE TABLE p (id bigint, v text) PARTITION BY HASH (id);
SELECT format('CREATE TABLE p%s PARTITION OF p FOR VALUES WITH (modulus 18, remainder %s)', g, g) FROM generate_series(0, 17) g \gexec
CREATE MATERIALIZED VIEW m AS SELECT id % 500 AS k, count(*) AS n FROM t0 GROUP BY 1;
CREATE FUNCTION looks(name text, i bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM %I', name) INTO n; RETURN n; END $$;
CREATE FUNCTION inserts(name text, i bigint, fail int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    IF fail = 2 THEN EXECUTE format('INSERT INTO %I SELECT 1 / (290 - g), repeat(''i'', 60) FROM generate_series(1, 300) g', name); END IF;
    EXECUTE format('INSERT INTO %I SELECT -g, repeat(''i'', 60) FROM generate_series(1, 300) g', name);
    IF fail = 1 THEN RAISE EXCEPTION 'no'; END IF;
  EXCEPTION WHEN raise_exception OR division_by_zero THEN EXECUTE format('INSERT INTO %I VALUES (-1, ''caught'')', name);
  END;
  RETURN i;
END $$;
SQL

sub answers
{
	my ($schema, $am, $text, $database) = @_;
	$text =~ s/:am/$am/g;
	my ($rc, $out, $err) = $node->psql($database // 'postgres', "\\set VERBOSITY sqlstate\nSET client_min_messages = error; SET search_path = $schema; SET default_table_access_method = $am;\n$text", on_error_stop => 0);
	$err =~ s/^psql:[^ ]*: //mg;
	return "$out\n$err";
}

my $digest = sub { my ($schema) = @_; return join ' ', map { $node->safe_psql('postgres', "SELECT count(*) || '/' || coalesce(sum(hashtextextended(x::text, 0)), 0) FROM $schema.$_ x") } qw(t0 t1 p); };
for my $program (1 .. $programs)
{
	my $text = join ";\n", a_program();
	my %answer;
	for my $am (qw(heap glassheap))
	{
		$node->safe_psql('postgres', "DROP SCHEMA IF EXISTS s_$am CASCADE; CREATE SCHEMA s_$am");
		$answer{$am} = answers("s_$am", $am, "$set_up$text;\n");
	}
	is($answer{glassheap}, $answer{heap}, "program $program: heap's answers") or diag $text;
	my $before = $digest->('s_glassheap');
	is($before, $digest->('s_heap'), '... and its rows');
	if ($program % 2 == 0)
	{
		# PostgreSQL 15 does not start, with heap neither, when it is killed after a transaction that made an unlogged table was
		# rolled back and before that was flushed: replay makes the init fork, and the file is there.  So it is flushed.
		$node->safe_psql('postgres', "SELECT pg_logical_emit_message(true, 'flush', '')");
		kill_server_9($node);
		$node->start;
		is($digest->('s_glassheap'), $before, '... after a crash, too');
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam, glassheap_verify(c.oid::regclass) WHERE a.amname = 'glassheap' AND c.relpersistence = 'p' AND c.relkind IN ('r', 'm')"), '0', '... on sound pages');
}
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');    # so that all of it is flushed
my $end = $node->lsn('flush');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_get_wal_records_info('$start', '$end') WHERE resource_manager = 'glassheap' AND record_type ILIKE 'multi_insert%'"), '>', 5 * $programs, 'there were runs');
wait_for_replay($standby, $node);
$standby->stop;
$node->stop;
done_testing();
