# t/131_rewrite.pl: a command that rewrites a table drops the old file.  What code bypassing the table access method has changed in
# shared_buffers, and nobody has noticed yet, must be in the new one.
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

my $node = new_node('main', autovacuum => 'off', restart_after_crash => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);

my %command = (
	full => 'VACUUM FULL full_t',
	clustered => 'CLUSTER clustered_t USING clustered_i',
	altered => 'ALTER TABLE altered_t ALTER id TYPE bigint',
	moved => 'ALTER TABLE moved_t SET ACCESS METHOD heap');
for my $name (sort keys %command)
{
	sql("CREATE TABLE ${name}_t (id int, note text); INSERT INTO ${name}_t SELECT g, 'ours' FROM generate_series(1, 20) g");
	sql("CREATE INDEX ${name}_i ON ${name}_t (id)") if $name eq 'clustered';
	sql("CHECKPOINT; SELECT count(*) FROM ${name}_t");
}
stop_point('buffer.watch_core_pool', 'wait');
wait_for_stop('buffer.watch_core_pool');
for my $name (sort keys %command)
{
	my $tid = sql("SELECT two_pools_insert('${name}_t', 21, 'theirs')");
	sql("SELECT two_pools_index('${name}_t', 21, '$tid')");
	is(sql("SELECT count(*) FROM ${name}_t"), 20, "$name: the old page is cached");
	sql($command{$name});
	is(sql("SELECT count(*) FROM ${name}_t"), 21, "$name: their row is there");
}
clear_stop_points();
$node->stop;
done_testing();
