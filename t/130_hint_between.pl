# t/130_hint_between.pl: with checksums, a query sets hint bits on a page of ours that code bypassing the table access method has changed in
# shared_buffers and will change again.  An image of our page between the two would undo the first change in replay, so none is logged; one
# that was about to be logged while they made the first change makes a table with two versions.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapSession;
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
my $at_once = 'meanwhile';
sql("CREATE TABLE $_ (id int, note text); INSERT INTO $_ SELECT g, 'ours' FROM generate_series(1, 10) g") for @tables, $at_once;
sql('CHECKPOINT');
sql("DELETE FROM $_ WHERE id = 10") for @tables, $at_once;
sql('CHECKPOINT');
stop_point('buffer.watch_core_pool', 'wait');
wait_for_stop('buffer.watch_core_pool');

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

# The image is later than their first change, and earlier than the second: without a word of the first, theirs would be taken.
stop_point('wal.hint_image_begins', 'wait');
my $session = GlassheapSession->new($node);
$session->begin("SELECT count(*) FROM $at_once");
wait_for_stop('wal.hint_image_begins');
sql("SELECT two_pools_insert('$at_once', 11, 'theirs')");
sql("SELECT glassheap_stop_point_clear('wal.hint_image_begins')");
is($session->end, 9, "$at_once: the query goes on");
sql("SELECT two_pools_insert('$at_once', 12, 'theirs')");

clear_stop_points();
for my $table (qw(deleted inserted))
{
	wait_until(sub { ids($table) eq $rows{$table} }, "$table: to be noticed");
}
my $said;
wait_until(sub { (my $rc, my $out, $said) = $node->psql('postgres', "SELECT count(*) FROM $at_once"); return $rc != 0 || $out != 9; }, "$at_once: to be noticed");
like($said, qr/relation "$at_once" is in two buffer pools/, "$at_once: has two versions");
sql("SELECT count(*) FROM $_") for @tables;
is(marks(), 1, 'no other one has');
sql("SELECT count(*) FROM glassheap_resolve('$at_once', 'shared_buffers')");
is(ids($at_once), "$rows{control} 11 12", "$at_once: both changes are in theirs");
$rows{$at_once} = "$rows{control} 11 12";
push @tables, $at_once;
kill_server_9($node);
$node->start;
is(ids($_), $rows{$_}, "$_: the same after kill -9") for @tables;
is(sql("SELECT count(*) FROM glassheap_verify('$_')"), 0, "$_: nothing to complain about") for @tables;
$node->stop;
done_testing();
