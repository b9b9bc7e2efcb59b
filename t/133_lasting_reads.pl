# t/133_lasting_reads.pl: commands that read a table once and rely on it for ever: index builds, and ALTER TABLE and its like where they
# check rows.  What code bypassing the table access method has changed in shared_buffers, and nobody has noticed yet, counts.
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

my $node = new_node('main', autovacuum => 'off', restart_after_crash => 'off', max_parallel_maintenance_workers => 2, min_parallel_table_scan_size => 0);
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);

# Their row: (11, 'theirs').  Each index must have it.
my %index = (
	plain => 'CREATE INDEX plain_i ON plain (id)',
	concurrent => 'CREATE INDEX CONCURRENTLY concurrent_i ON concurrent (id)',
	parallel => 'SET parallel_leader_participation = off; SET client_min_messages = debug1; CREATE INDEX parallel_i ON parallel (id)',
	hashed => 'CREATE INDEX hashed_i ON hashed USING hash (id)',
	again => 'REINDEX TABLE again',
	again_concurrent => 'REINDEX TABLE CONCURRENTLY again_concurrent',
	added => 'ALTER TABLE added ADD PRIMARY KEY (id)',
	ranges => "SELECT brin_summarize_new_values('ranges_i')");
my %before = (
	parallel => 'ALTER TABLE parallel SET (parallel_workers = 2)',
	again => 'CREATE INDEX again_i ON again (id)',
	again_concurrent => 'CREATE INDEX again_concurrent_i ON again_concurrent (id)');

# Their row must be found at fault.
my %check = (
	not_null => [ 'ALTER TABLE not_null ALTER note SET NOT NULL', '23502', '11, NULL' ],
	checked => [ 'ALTER TABLE checked ADD CHECK (id < 11)', '23514' ],
	validated => [ 'ALTER TABLE validated VALIDATE CONSTRAINT small', '23514' ],
	is_unique => [ 'ALTER TABLE is_unique ADD UNIQUE (id)', '23505', "10, 'theirs'" ],
	child => [ 'ALTER TABLE child ADD FOREIGN KEY (id) REFERENCES parent', '23503' ],
	valid_child => [ 'ALTER TABLE valid_child VALIDATE CONSTRAINT has_parent', '23503' ],
	attached => [ 'ALTER TABLE parted ATTACH PARTITION attached FOR VALUES FROM (1) TO (11)', '23514' ],
	rest => [ 'CREATE TABLE eleven PARTITION OF with_rest FOR VALUES FROM (11) TO (12)', '23514' ],
	of_domain => [ 'ALTER DOMAIN word ADD CHECK (VALUE <> \'theirs\')', '23514' ]);
# The parent's row is deleted, by them.
my %orphaned = (
	parent_a => 'ALTER TABLE child_a ADD FOREIGN KEY (id) REFERENCES parent_a',
	parent_b => 'SET enable_seqscan = off; SET enable_bitmapscan = off; ALTER TABLE child_b VALIDATE CONSTRAINT has_parent');

make_table($_) for grep { $_ ne 'ranges' } sort(keys %index, keys %check, keys %orphaned), qw(parent child_a child_b late);
sql($before{$_}) for sort keys %before;
sql('CREATE TABLE ranges (id int, note text); CREATE INDEX ranges_i ON ranges USING brin (id)');
sql("INSERT INTO ranges SELECT g, 'ours' FROM generate_series(1, 10) g; SELECT count(*) FROM ranges; CHECKPOINT");
sql("SELECT brin_desummarize_range('ranges_i', 0)");
sql('ALTER TABLE validated ADD CONSTRAINT small CHECK (id < 11) NOT VALID');
sql("ALTER TABLE $_ ADD PRIMARY KEY (id)") for qw(parent parent_a parent_b);
sql("ALTER TABLE $_->[0] ADD CONSTRAINT has_parent FOREIGN KEY (id) REFERENCES $_->[1] NOT VALID") for [ 'valid_child', 'parent' ], [ 'child_b', 'parent_b' ];
sql("CREATE TABLE $_ (id int, note text) PARTITION BY RANGE (id)") for qw(parted with_rest);
sql('ALTER TABLE with_rest ATTACH PARTITION rest DEFAULT');
sql('CREATE DOMAIN word AS text; ALTER TABLE of_domain ALTER note TYPE word; SELECT count(*) FROM of_domain');
sql("SELECT count(*) FROM $_") for sort(keys %index, keys %check, keys %orphaned);
sql('CHECKPOINT');

stop_point('watch_core_pool', 'wait');
wait_for_stop('watch_core_pool');
for my $table (sort keys %index)
{
	sql("SELECT two_pools_insert('$table', 11, 'theirs')");
	is(sql("SELECT count(*) FROM $table"), 10, "$table: the old page is cached");
	my $said = stderr_of($index{$table});
	like($said, qr/building index "parallel_i" on table "parallel" with request for \d parallel worker/, 'in parallel') if $table eq 'parallel';
	unlike($said, qr/ERROR/, $index{$table});
	is(sql("SET enable_seqscan = off; SELECT note FROM $table WHERE id = 11"), 'theirs', "$table: the index has their row");
}
# The first scan waits for one transaction, the second for another, which does not know the index.
my ($first, $second, $builder) = map { GlassheapSession->new($node) } 1 .. 3;
sub waits_for { my ($session) = @_; my $pid = $session->ask('SELECT pg_backend_pid()'); return sub { sql("SELECT count(*) FROM pg_locks l JOIN pg_locks h USING (virtualxid) WHERE l.locktype = 'virtualxid' AND NOT l.granted AND h.granted AND h.pid = $pid") == 1 }; }
$_->ask('BEGIN') for $first, $second;
$first->ask('LOCK TABLE late IN ROW EXCLUSIVE MODE');
$builder->begin('CREATE INDEX CONCURRENTLY late_i ON late (id)');
wait_until(waits_for($first), 'the build to wait');
$second->ask('LOCK TABLE late IN ROW EXCLUSIVE MODE');
$first->ask('COMMIT');
wait_until(waits_for($second), 'the build to wait again');
$second->ask("SELECT two_pools_insert('late', 11, 'theirs'); COMMIT");
is($builder->end, '', 'CREATE INDEX CONCURRENTLY, changed between its scans');
is(sql("SET enable_seqscan = off; SELECT note FROM late WHERE id = 11"), 'theirs', 'late: the index has their row');
for my $table (sort keys %check)
{
	my ($command, $state, $row) = @{ $check{$table} };
	sql("SELECT two_pools_insert('$table', " . ($row // "11, 'theirs'") . ')');
	like(stderr_of($command), qr/ERROR:  $state/, $command);
}
for my $table (sort keys %orphaned)
{
	sql("SELECT two_pools_delete('$table', '(0,3)')");
	like(stderr_of($orphaned{$table}), qr/ERROR:  23503/, $orphaned{$table});
}
clear_stop_points();
is(marks(), 0, 'nothing is marked');
is(sql("SELECT count(*) FROM glassheap_verify('$_')"), 0, "$_: nothing to complain about") for sort(keys %index, keys %check, keys %orphaned);
$node->stop;
done_testing();
