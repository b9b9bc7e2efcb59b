# t/077_forget_large.pl: DROP, TRUNCATE and VACUUM's truncation of a table with many pages in the pool (fault B4 of
# 2026-11-21).  A build with checks counts the links it follows, asserts that they are linear in the pool, and forgets in
# batches of 64 pages, so that a pool of 24 MB is enough to tell.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($kept, $cut) = (1300, 1300);
my $node = new_node('main', 'glassheap.buffers' => '24MB', 'glassheap.writer_max_pages' => 0);
plan skip_all => 'needs a build with checks (GH_CHECKS=1)' unless has_stop_points($node);

# One row a page; pages come into the pool in the order they are given, and so stand in the relation's chain.
sub make_table
{
	my (@order) = @_;
	$node->safe_psql('postgres', 'CREATE TABLE t (id int, pad text); ALTER TABLE t ALTER pad SET STORAGE PLAIN;'
		. "INSERT INTO t SELECT g, repeat('x', 7000) FROM generate_series(0, " . ($kept + $cut - 1) . ') g');
	return unless @order;
	$node->safe_psql('postgres', "DELETE FROM t WHERE id >= $kept; CHECKPOINT; SELECT glassheap_buffercache_evict_relation('t')");
	$node->safe_psql('postgres', "DO 'DECLARE x int; BEGIN FOR i IN $_->[0]..$_->[1] LOOP SELECT id INTO x FROM t WHERE ctid = (''('' || i || '',1)'')::tid; END LOOP; END'")
	  for @order;
	return;
}

sub cached { return $node->safe_psql('postgres', "SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = $_[0] AND relforknumber = 0"); }

sub filenode { return $node->safe_psql('postgres', "SELECT pg_relation_filenode('t')"); }

for my $how ('DROP TABLE t', 'TRUNCATE t', 'BEGIN; TRUNCATE t; COMMIT')
{
	make_table();
	my $file = filenode();
	cmp_ok(cached($file), '>=', $kept + $cut, "$how: the table is in the pool");
	$node->safe_psql('postgres', $how);
	is(cached($file), 0, "$how: its pages are not any more");
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS t');
}

my @front = (0, $kept - 1);
my @tail = ($kept, $kept + $cut - 1);
for my $order ([ \@tail, \@front ], [ \@front, \@tail ])
{
	my $when = "VACUUM, pages from $order->[0][0] first";
	make_table(@$order);
	cmp_ok(cached(filenode()), '>=', $kept + $cut, "$when: the table is in the pool");
	$node->safe_psql('postgres', 'VACUUM (TRUNCATE) t');
	is($node->safe_psql('postgres', "SELECT pg_relation_size('t') / 8192"), $kept, "$when: the tail is gone");
	is(cached(filenode()), $kept, "$when: what is kept is still in the pool");
	is($node->safe_psql('postgres', 'SELECT count(*), sum(id) FROM t'), "$kept|" . $kept * ($kept - 1) / 2, "$when: rows");
	$node->safe_psql('postgres', "INSERT INTO t SELECT g, repeat('y', 7000) FROM generate_series($kept, $kept + 99) g");
	is($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE pad LIKE 'y%'"), 100, "$when: the table grows again");
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('t')"), 0, "$when: nothing to complain about");
	$node->safe_psql('postgres', 'DROP TABLE t');
}

unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
done_testing();
