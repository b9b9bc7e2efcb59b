# t/106_pg_repack.pl: pg_repack makes its copy with the default access method and swaps relfilenode, but not relam:
# the file changes hands between the two pools.  Both ways, with changes before and after, kill -9 and a standby.
# am/new_tables gives pg_repack's copy the table's own access method, so that no file changes hands any more; what happens
# when one does is in t/107, with the control.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs two access methods' unless is_glassheap();
plan skip_all => 'pg_repack is not installed' unless -x '/usr/lib/postgresql/15/bin/pg_repack';

my $node = new_node('main', wal_keep_size => '1GB');
my $standby = new_standby($node, 'standby');
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(of_heap of_glassheap);
$node->safe_psql($_, 'CREATE EXTENSION IF NOT EXISTS glassheap; CREATE EXTENSION pg_repack') for qw(of_heap of_glassheap);
$node->safe_psql('postgres', "ALTER DATABASE of_$_ SET default_table_access_method = $_") for qw(heap glassheap);

sub repack
{
	my ($database, $table) = @_;
	$node->command_ok([ '/usr/lib/postgresql/15/bin/pg_repack', '-h', $node->host, '-p', $node->port, '-d', $database, '-t', $table ],
		"pg_repack $table in $database");
	return;
}

sub digests
{
	my ($server, $database, $table) = @_;
	# By scan and by index.
	return $server->safe_psql($database, <<"SQL");
SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $table t;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(*), sum(hashtextextended(t::text, 0)) FROM $table t WHERE id > 0;
SQL
}

sub agree
{
	my ($database, $table, $expected, $what) = @_;
	is(digests($node, $database, $table), $expected, "$what: on the primary");
	$node->wait_for_catchup($standby, 'replay');
	is(digests($standby, $database, $table), $expected, "$what: on the standby");
	return;
}

sub try_it
{
	my ($database, $method) = @_;
	my $table = "of_$method";
	$node->safe_psql($database, <<"SQL");
CREATE TABLE $table (id int PRIMARY KEY, note text) USING $method;
INSERT INTO $table SELECT g, repeat('n', 100) FROM generate_series(1, 10000) g;
UPDATE $table SET note = 'changed' WHERE id % 3 = 0;
SQL
	my $expected = digests($node, $database, $table);
	$node->wait_for_catchup($standby, 'replay');
	is(digests($standby, $database, $table), $expected, "$table: before, on the standby");
	repack($database, $table);
	is($node->safe_psql($database, "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = '$table'"),
		$method, "$table is still of $method");
	agree($database, $table, $expected, "$table repacked");
	$node->safe_psql($database, "DELETE FROM $table WHERE id % 7 = 0; INSERT INTO $table SELECT g, 'new' FROM generate_series(20001, 20500) g; UPDATE $table SET note = 'again' WHERE id % 5 = 0");
	$expected = digests($node, $database, $table);
	kill_server_9($node);
	$node->start;
	agree($database, $table, $expected, "$table after kill -9");
	repack($database, $table);
	$node->restart;
	agree($database, $table, $expected, "$table repacked again, restarted");
	$node->safe_psql($database, "CHECKPOINT; UPDATE $table SET note = 'once more' WHERE id % 2 = 0");
	$expected = digests($node, $database, $table);
	kill_server_9($node);
	$node->start;
	agree($database, $table, $expected, "$table at the end");
	is($node->safe_psql($database, "SELECT count(*) FROM $table WHERE id BETWEEN 20001 AND 20500"), 500, "$table: new rows");
	return;
}

try_it('of_heap', 'glassheap');
try_it('of_glassheap', 'heap');
unlike(slurp_file($node->logfile), qr/two buffer pools/, 'no table was taken for damaged');

done_testing();
