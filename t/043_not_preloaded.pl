# t/043_not_preloaded.pl: without shared_preload_libraries the answer is an error with the line to add, when the
# extension is created and when a table is touched; VACUUM skips our tables with a WARNING and ANALYZE reads their
# files, so that both go through for the whole database, also as vacuumdb --all -j, which exits 0; everything else works.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap needs no library' unless is_glassheap();

my $node = new_node('unloaded');
$node->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text) USING glassheap; INSERT INTO t VALUES (1, \'one\')');
$node->safe_psql('postgres', 'CREATE TABLE h (id int) USING heap; INSERT INTO h VALUES (1)');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE filled (id int PRIMARY KEY, v text) USING glassheap;
INSERT INTO filled SELECT g, CASE WHEN g % 10 < 7 THEN 'seven' ELSE 'one' END FROM generate_series(1, 1000) g;
VACUUM ANALYZE filled;
DELETE FROM filled WHERE id % 10 IN (0, 1);
CREATE TABLE never (id int) USING glassheap;
SQL
my ($pages, $frozen) = split /\|/, $node->safe_psql('postgres', "SELECT relpages, relfrozenxid FROM pg_class WHERE relname = 'filled'");
$node->safe_psql('postgres', "ALTER SYSTEM RESET default_table_access_method");
$node->safe_psql('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
$node->stop('fast');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\ndefault_table_access_method = heap");
$node->start;

my %touches = (
	'CREATE EXTENSION' => [ 'fresh', 'CREATE EXTENSION glassheap' ],
	'SELECT' => [ 'postgres', 'SELECT * FROM t' ],
	'SELECT by index' => [ 'postgres', 'SET enable_seqscan = off; SELECT * FROM t WHERE id = 1' ],
	'INSERT' => [ 'postgres', 'INSERT INTO t VALUES (2, \'two\')' ],
	'UPDATE' => [ 'postgres', 'UPDATE t SET v = \'new\'' ],
	'VACUUM FULL' => [ 'postgres', 'VACUUM FULL t' ],
	'CREATE TABLE' => [ 'postgres', 'CREATE TABLE other (id int) USING glassheap' ],
	'TRUNCATE' => [ 'postgres', 'TRUNCATE t' ],
	'a function' => [ 'postgres', "SELECT * FROM glassheap_freespace('t')" ],
	'the pool view' => [ 'postgres', 'SELECT * FROM glassheap_buffercache' ],
);
for my $what (sort keys %touches)
{
	my ($database, $sql) = @{ $touches{$what} };
	my ($rc, $out, $err) = $node->psql($database, $sql);
	isnt($rc, 0, "$what: refused");
	like($err, qr/shared_preload_libraries/, "$what: the message has the setting");
}

# Whole databases.
my ($rc, $out, $err) = $node->psql('postgres', 'VACUUM');
is($rc, 0, 'VACUUM of the database goes through');
like($err, qr/WARNING:  skipping vacuum of "t" --- glassheap must be loaded via shared_preload_libraries/, 'VACUUM says what it left out');
is($node->safe_psql('postgres', "SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'h'"), 't', 'VACUUM did the table behind it');
is($node->safe_psql('postgres', "SELECT last_vacuum IS NULL FROM pg_stat_user_tables WHERE relname = 't'"), 't', 'VACUUM does not claim to have done ours');
is($node->safe_psql('postgres', "SELECT reltuples, relpages, relfrozenxid = '$frozen' FROM pg_class WHERE relname = 'filled'"), '1000|' . $pages . '|t', 'and leaves its numbers');
($rc, $out, $err) = $node->psql('postgres', 'ANALYZE');
is("$rc $err", '0 ', 'ANALYZE of the database goes through');
is($node->safe_psql('postgres', "SELECT reltuples, relpages FROM pg_class WHERE relname = 'filled'"), '800|' . $pages, 'ANALYZE counts the rows in the file');
is($node->safe_psql('postgres', "SELECT n_distinct, most_common_vals FROM pg_stats WHERE tablename = 'filled' AND attname = 'v'"), '2|{seven,one}', 'ANALYZE sees their values');
is($node->safe_psql('postgres', "SELECT reltuples, relpages FROM pg_class WHERE relname = 'never'"), '0|0', 'ANALYZE of an empty table');
($rc, $out, $err) = $node->psql('postgres', 'VACUUM (ANALYZE) t');
is($rc, 0, 'VACUUM (ANALYZE) goes through');

# vacuumdb, of all databases and with several connections: each names one table in a command of its own.
my $vacuumed = q(SELECT vacuum_count, analyze_count FROM pg_stat_user_tables WHERE relname = 'h');
for my $way ([ '--all' ], [ '--all', '--analyze', '-j', 2 ], [ '--all', '--freeze' ], [ '-d', 'postgres', '-t', 't', '-t', 'h' ])
{
	my ($before) = split /\|/, $node->safe_psql('postgres', $vacuumed);
	$node->command_checks_all([ 'vacuumdb', @$way ], 0, [], [qr/WARNING:  skipping vacuum of "t" --- glassheap must be loaded via shared_preload_libraries/],
		"vacuumdb @$way: exits 0 and says what it left out");
	$node->poll_query_until('postgres', "SELECT vacuum_count > $before FROM pg_stat_user_tables WHERE relname = 'h'") or die 'h was not vacuumed';
	pass("vacuumdb @$way: did heap's table");
}
for my $way ([ '--analyze-only' ], [ '--analyze-only', '-j', 2 ], [ '--analyze-in-stages' ])
{
	my (undef, $before) = split /\|/, $node->safe_psql('postgres', $vacuumed);
	$node->command_checks_all([ 'vacuumdb', '--all', @$way ], 0, [], [qr/\A(?!.*(?:WARNING|ERROR))/s], "vacuumdb --all @$way: exits 0 without a word");
	$node->poll_query_until('postgres', "SELECT analyze_count > $before FROM pg_stat_user_tables WHERE relname = 'h'") or die 'h was not analyzed';
}
is($node->safe_psql('postgres', "SELECT relfrozenxid = '$frozen' FROM pg_class WHERE relname = 'filled'"), 't', 'and our tables are as they were');
# Control: what rewrites or rebuilds is an error, and the program's exit code says so.
$node->command_checks_all([ 'vacuumdb', '--all', '--full' ], 1, [], [qr/glassheap must be loaded via shared_preload_libraries/], 'vacuumdb --full fails');
$node->command_checks_all([ 'reindexdb', '-d', 'postgres', '-t', 't' ], 1, [], [qr/glassheap must be loaded via shared_preload_libraries/], 'reindexdb of our table fails');

($rc, $out, $err) = $node->psql('postgres', 'SELECT glassheap_version()');
is($rc, 0, 'the version can be asked for');
like($err, qr/WARNING:  glassheap is not loaded via shared_preload_libraries/, 'it comes with a warning');

is($node->safe_psql('postgres', 'SELECT count(*) FROM h'), 1, 'heap tables are untouched by all this');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'glassheap'");
$node->restart;
is($node->safe_psql('postgres', 'SELECT v FROM t'), 'one', 'with the line added the rows are there');
done_testing();
