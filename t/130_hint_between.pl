# t/130_hint_between.pl: with checksums, a query sets hint bits on a page of ours that code bypassing the table access method has changed in
# shared_buffers and will change again.  An image of our page between the two would undo the first change in replay.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use TwoPools ':all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my $node = new_node('main', 'glassheap.writer_delay' => '10ms', restart_after_crash => 'off', autovacuum => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);

sub lsn { my ($table) = @_; return sql("SELECT lsn FROM glassheap_page_header('$table', 0)"); }

my %change = (deleted => [ "'(0,3)'", "'(0,5)'" ], inserted => [ "11, 'theirs'", "12, 'theirs'" ], control => []);
my %rows = (deleted => '1 2 4 6 7 8 9', inserted => '1 2 3 4 5 6 7 8 9 11 12', control => '1 2 3 4 5 6 7 8 9');
my @tables = qw(control deleted inserted);
sql("CREATE TABLE $_ (id int, note text); INSERT INTO $_ SELECT g, 'ours' FROM generate_series(1, 10) g") for @tables;
sql('CHECKPOINT');
sql("DELETE FROM $_ WHERE id = 10") for @tables;
sql('CHECKPOINT');
stop_point('watch_core_pool', 'wait');
wait_for_stop('watch_core_pool');

sub change { my ($table, $which) = @_; sql("SELECT two_pools_" . ($table eq 'deleted' ? 'delete' : 'insert') . "('$table', $change{$table}[$which])") if $change{$table}[$which]; return; }

for my $table (@tables)
{
	change($table, 0);
	my $before = lsn($table);
	is(ids($table), $rows{control}, "$table: a query reads the old page");
	my $after = lsn($table);
	if ($table eq 'control') { isnt($after, $before, "$table: it logs an image with its hint bits"); }
	else { is($after, $before, "$table: it logs no image"); }
	change($table, 1);
}
clear_stop_points();
for my $table (qw(deleted inserted))
{
	wait_until(sub { ids($table) eq $rows{$table} }, "$table: to be noticed");
}
is(marks(), 0, 'nothing is marked');
kill_server_9($node);
$node->start;
is(ids($_), $rows{$_}, "$_: the same after kill -9") for @tables;
is(sql("SELECT count(*) FROM glassheap_verify('$_')"), 0, "$_: nothing to complain about") for @tables;
$node->stop;
done_testing();
