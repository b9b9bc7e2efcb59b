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
	parallel => 'SET client_min_messages = debug1; CREATE INDEX parallel_i ON parallel (id)',
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
	rest_of_foreign => [ 'CREATE FOREIGN TABLE eleven PARTITION OF with_foreign FOR VALUES FROM (11) TO (12) SERVER nowhere', '23514' ],
	of_domain => [ 'ALTER DOMAIN word ADD CHECK (VALUE <> \'theirs\')', '23514' ]);
# The parent's row is deleted, by them.
my %orphaned = (
	parent_a => 'ALTER TABLE child_a ADD FOREIGN KEY (id) REFERENCES parent_a',
	parent_b => 'SET enable_seqscan = off; SET enable_bitmapscan = off; ALTER TABLE child_b VALIDATE CONSTRAINT has_parent');

make_table($_) for grep { $_ ne 'ranges' } sort(keys %index, keys %check, keys %orphaned), qw(parent child_a child_b late triggered);
sql($before{$_}) for sort keys %before;
sql('CREATE TABLE ranges (id int, note text); CREATE INDEX ranges_i ON ranges USING brin (id)');
sql("INSERT INTO ranges SELECT g, 'ours' FROM generate_series(1, 10) g; SELECT count(*) FROM ranges; CHECKPOINT");
sql("SELECT brin_desummarize_range('ranges_i', 0)");
sql('ALTER TABLE validated ADD CONSTRAINT small CHECK (id < 11) NOT VALID');
sql("ALTER TABLE $_ ADD PRIMARY KEY (id)") for qw(parent parent_a parent_b);
sql("ALTER TABLE $_->[0] ADD CONSTRAINT has_parent FOREIGN KEY (id) REFERENCES $_->[1] NOT VALID") for [ 'valid_child', 'parent' ], [ 'child_b', 'parent_b' ];
sql("CREATE TABLE $_ (id int, note text) PARTITION BY RANGE (id)") for qw(parted with_rest with_foreign);
sql('ALTER TABLE with_rest ATTACH PARTITION rest DEFAULT; ALTER TABLE with_foreign ATTACH PARTITION rest_of_foreign DEFAULT');
sql('CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing');
sql('CREATE DOMAIN word AS text; ALTER TABLE of_domain ALTER note TYPE word; SELECT count(*) FROM of_domain');
# Page 1 alone has room.
my @large = qw(large_built large_parent large_watched);
for my $table (@large)
{
	sql("CREATE TABLE $table (id int, v text); INSERT INTO $table SELECT g, repeat('v', 900) FROM generate_series(1, 6000) g");
	sql("DELETE FROM $table WHERE ctid > '(1,1)' AND ctid < '(2,0)'; CREATE TABLE ${table}_child AS SELECT id FROM $table WHERE ctid = '(1,1)'");
	sql("VACUUM $table; SELECT count(*) FROM ${table}_child");
}
sql('ALTER TABLE large_parent ADD PRIMARY KEY (id)');
sql("SELECT count(*) FROM $_") for sort(keys %index, keys %check, keys %orphaned);
sql('CHECKPOINT');

stop_point('buffer.watch_core_pool', 'wait');
wait_for_stop('buffer.watch_core_pool');
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

# An event trigger reads the table before the command has its lock, and the table is changed while the command waits for it.
my ($reader, $command) = map { GlassheapSession->new($node) } 1 .. 2;
sql("CREATE FUNCTION looks() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM count(*) FROM triggered; END'");
sql("CREATE EVENT TRIGGER looks ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION looks()");
$first->ask('BEGIN; LOCK TABLE triggered IN ROW EXCLUSIVE MODE');
$command->begin('ALTER TABLE triggered ADD CHECK (id < 11)');
wait_until(sub { sql("SELECT count(*) FROM pg_locks WHERE relation = 'triggered'::regclass AND NOT granted") == 1 }, 'ALTER TABLE to wait');
$first->ask("SELECT two_pools_insert('triggered', 11, 'theirs'); COMMIT");
like($command->end, qr/ERROR:  23514/, 'changed between an event trigger and the command');
sql('DROP EVENT TRIGGER looks');

# A query has asked for their copy, in vain, and is reading the page in when it is changed: the command waits for that read.
my $scan = 'SET max_parallel_workers_per_gather = 0; SET synchronize_seqscans = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off';

sub begin_to_read
{
	my ($table, $point, $read) = @_;
	sql("SELECT glassheap_buffercache_evict_relation('$table')");
	stop_point($point, 'wait');
	$reader->begin("$scan; $read");
	wait_for_stop($point);
	is(sql("SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('$table') AND relforknumber = 0 AND relblocknumber = 1"), 1,
		"$table: page 1 is being read in");
	return;
}
sub while_being_read
{
	my ($table, $change, $statement) = @_;
	begin_to_read($table, 'buffer.run_read', "SELECT count(*) FROM $table");
	like(sql($change), qr/^(\(1,\d+\))?$/, "$table: page 1 is changed");
	$command->begin($statement);
	my $waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%_command_%' AND pid <> pg_backend_pid() AND %s";
	wait_until(sub { sql(sprintf $waits, "(wait_event = 'BufferIO' OR state = 'idle')") == 1 }, 'the command to wait for the read, or to end');
	sql("SELECT glassheap_stop_point_clear('buffer.run_read')");
	my $said = $command->end;
	$reader->end;
	return $said;
}
is(while_being_read('large_built', "SELECT two_pools_insert('large_built', 7000, repeat('t', 900))", 'SET max_parallel_maintenance_workers = 0; CREATE INDEX _command_ ON large_built (id)'), '', 'CREATE INDEX');
is(sql("SET enable_seqscan = off; SELECT count(*) FROM large_built WHERE id = 7000"), 1, 'read in while it was changed: the index has their row');
like(while_being_read('large_parent', "SELECT two_pools_delete('large_parent', '(1,1)')", 'ALTER TABLE large_parent_child ADD CONSTRAINT _command_ FOREIGN KEY (id) REFERENCES large_parent'), qr/ERROR:  23503/, 'ADD FOREIGN KEY');

# The writer's rounds do not wait, nor do they forget it: their copy is written, and more than two walks go by.  One
# round is a walk through these few buffers.
sub let_writer_walk
{
	sql("SELECT glassheap_stop_point_set('buffer.watch_core_pool', 'wait', 5)");
	wait_for_stop('buffer.watch_core_pool');
	return;
}
clear_stop_points();
begin_to_read('large_watched', 'buffer.run_was_read', 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM large_watched; FETCH 20 FROM c');
like(sql("SELECT two_pools_insert('large_watched', 7000, repeat('t', 900))"), qr/^\(1,/, 'large_watched: page 1 is changed');
sql('CHECKPOINT');
let_writer_walk();
sql("SELECT glassheap_stop_point_clear('buffer.run_was_read')");
$reader->end;
is(sql("$scan; SELECT count(*) FROM large_watched WHERE id = 7000"), 0, 'large_watched: the old page is cached');
clear_stop_points();
let_writer_walk();
$reader->ask('COMMIT');
is(sql("$scan; SELECT count(*) FROM large_watched WHERE id = 7000"), 1, 'the writer notices what was changed while it was read in');
clear_stop_points();
is(marks(), 0, 'nothing is marked');
is(sql("SELECT count(*) FROM glassheap_verify('$_')"), 0, "$_: nothing to complain about") for sort(keys %index, keys %check, keys %orphaned), 'triggered', @large;
$node->stop;
done_testing();
