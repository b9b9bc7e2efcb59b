# t/104_pg_repack.pl: pg_repack (Debian's package) where its copy gets the access method of the table: the file is
# swapped within one pool.  With changes meanwhile, which it copies from its own table, glassheap as well; its indexes,
# another order, a crash, a standby.  It writes the catalogs with CatalogTupleUpdateWithInfo, which the guard lets through
# whatever it is set to.
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

my ($library, $bin) = split /\n/, `pg_config --pkglibdir --bindir`;
my ($repack) = grep { -x } "$bin/pg_repack", '/usr/lib/postgresql/15/bin/pg_repack';
plan skip_all => 'pg_repack is not installed' unless defined $repack && -e "$library/pg_repack.so";

my $node = new_node('repack');
my $standby = new_standby($node, 'standby');
my $am = access_method();
$node->safe_psql('postgres', 'CREATE EXTENSION pg_repack');
$node->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE INDEX t_n ON t (n);
	INSERT INTO t SELECT g, repeat('v', 100), -g FROM generate_series(1, 5000) g; INSERT INTO t VALUES (0, repeat(md5('x'), 1000), 0);
	DELETE FROM t WHERE id % 3 = 1; UPDATE t SET v = 'changed' WHERE id % 5 = 0");

my @command = ($repack, '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-t', 't');
sub repack
{
	my ($what, @options) = @_;
	my $file = $node->safe_psql('postgres', q{SELECT pg_relation_filenode('t')});
	$node->command_ok([ @command, @options ], "pg_repack: $what");
	my $same = $what eq 'indexes' ? 'is' : 'isnt';
	Test::More->can($same)->($node->safe_psql('postgres', q{SELECT pg_relation_filenode('t')}), $file, "$what: the table's file");
	is($node->safe_psql('postgres', q{SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname = 't'}), $am, "$what: still $am");
	return;
}

sub contents
{
	my ($server) = @_;
	return $server->safe_psql('postgres', join ';', map { "SET enable_seqscan = $_; SELECT count(*), sum(id), sum(hashtextextended(v, 0)), sum(n) FROM t WHERE n <= 0" } 'on', 'off');
}

sub agree
{
	my ($what, $expected) = @_;
	is(contents($node), $expected, "$what: the rows are there");
	$node->wait_for_catchup($standby);
	is(contents($standby), $expected, "$what: on the standby too");
	is($node->safe_psql('postgres', q{SELECT * FROM glassheap_verify('t', check_toast => true)}), '', "$what: verified") if is_glassheap();
	return;
}

my $expected = contents($node);
repack('table');
agree('table', $expected);
repack('indexes', '--only-indexes');
agree('indexes', $expected);
repack('in another order', '-o', 'n');
agree('in another order', $expected);

# ---- changes while it works: before the swap it waits for every transaction that was there when it began
my $elder = GlassheapSession->new($node);
$elder->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $run = IPC::Run::start(\@command, '<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres', q{SELECT to_regclass('repack.table_' || 't'::regclass::oid) IS NOT NULL}) or die 'pg_repack makes no copy';
is($node->safe_psql('postgres', q{SELECT DISTINCT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam
	WHERE relnamespace = 'repack'::regnamespace AND relkind = 'r' AND relname ~ '_\d+$'}), $am, "its copy and its list of changes are $am");
$node->safe_psql('postgres', $_) for
  'INSERT INTO t SELECT g, repeat(md5(g::text), 200), -g FROM generate_series(6001, 6100) g',
  "UPDATE t SET v = 'while it works' WHERE id % 10 = 2",
  'UPDATE t SET id = id + 10000 WHERE id % 10 = 3',
  'DELETE FROM t WHERE id % 10 = 5';
$expected = contents($node);
ok($run->pumpable, 'pg_repack waits for the elder transaction');
$elder->ask('COMMIT');
ok($run->finish, '... and ends after it');
$elder->close;
agree('changed meanwhile', $expected);

# ---- the guard may refuse: what pg_repack writes with heap's functions are catalogs
if (is_glassheap())
{
	$node->safe_psql('postgres', 'ALTER SYSTEM SET glassheap.import_guard = refuse; SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', 'SHOW glassheap.import_guard', 'refuse') or die 'not set';
	is($node->safe_psql('postgres', q{LOAD 'pg_repack'; SELECT string_agg(function || ' ' || (guarded = entries), ', ') FROM glassheap_foreign_writers() WHERE library ~ 'pg_repack'}),
		'CatalogTupleUpdateWithInfo true', 'what pg_repack imports');
	repack('with the guard on refuse');
	agree('with the guard on refuse', $expected);
}

$node->safe_psql('postgres', "CHECKPOINT; UPDATE t SET v = v || 'after' WHERE id % 4 = 0");
$expected = contents($node);
kill_server_9($node);
$node->start;
agree('after a crash', $expected);
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal 1[^\d5]|TRAP|check failed|two buffer pools/, 'nothing crashed');
done_testing();
