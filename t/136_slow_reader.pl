# t/136_slow_reader.pl: somebody reads a page of ours into shared_buffers, slowly, while a checkpoint wants to write it.  The checkpoint is
# late, and that is all: it writes the other pages, nobody waits for the page's latch, and it completes when the reader has done.
# Of one that is stopped it fails, naming the page, and the next one succeeds when that is over.  A shutdown is clean if the last worker
# to leave has written everything.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use GlassheapCompare qw(wait_for_state);
use GlassheapSession;
use TwoPools;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'a heap table has one pool' unless is_glassheap();

my @settings = ('glassheap.writer_max_pages' => 0, autovacuum => 'off', bgwriter_lru_maxpages => 0, restart_after_crash => 'off');
my $node = new_node('main', @settings);
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub checkpoint { return $node->psql('postgres', 'CHECKPOINT'); }
sub marks { return scalar(grep { m{/\d+_\d+_\d+$} } glob($node->data_dir . '/glassheap_two_pools/*')); }
sub dirty_pages { my ($table) = @_; return sql("SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = pg_relation_filenode('$table') AND isdirty"); }
sub worker { my ($type) = @_; return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'"); }

# 0: it came back by itself.
my $changes = 0;
sub update_slow
{
	my $late = 0;
	my ($rc) = $node->psql('postgres', 'UPDATE slow SET n = n + 1 WHERE id = 1', timeout => $PostgreSQL::Test::Utils::timeout_default, timed_out => \$late);
	++$changes;
	return $late || $rc;
}

# `slow` has nothing in shared_buffers; its page is dirty and being read.
my $reader = GlassheapSession->new($node);
sub begin_to_read
{
	sql("UPDATE slow SET n = n + 1 WHERE id = 1; UPDATE other SET n = n + 1");
	++$changes;
	$reader->ask("BEGIN; SELECT two_pools_read_slowly('slow', 0, true)");
	return;
}
sub end_reading { $reader->ask("SELECT two_pools_read_slowly('slow', 0, false); COMMIT"); return; }

# Returns a CHECKPOINT whose turn somebody has kept open, and is stopped in.
sub open_turn
{
	sql("SELECT glassheap_stop_point_set('buffer.turn_kept_open', 'wait')");
	my $checkpoint = start_background($node, sql => 'CHECKPOINT');
	my $limit = $PostgreSQL::Test::Utils::timeout_default;
	my $rc = $node->psql('postgres', "SET statement_timeout = '${limit}s'; SELECT glassheap_stop_point_wait('buffer.turn_kept_open')");
	return $rc == 0 ? $checkpoint : undef;
}

sql("CREATE TABLE slow (id int, n int); INSERT INTO slow SELECT g, 0 FROM generate_series(1, 10) g");
sql("CREATE TABLE other (id int, n int); INSERT INTO other SELECT g, 0 FROM generate_series(1, 500) g");
is(checkpoint(), 0, 'a checkpoint');

# ---- slow: each of the two workers has its turns
for my $round (1 .. 6)
{
	begin_to_read();
	my $checkpoint = open_turn();
	ok($checkpoint, "round $round: the turn stays open") or last;
	is(update_slow(), 0, "round $round: an UPDATE of the page does not wait");
	is(dirty_pages('other'), 0, "round $round: the other pages are written");
	ok($checkpoint->pumpable, "round $round: the checkpoint waits");
	end_reading();
	sql("SELECT glassheap_stop_point_clear('buffer.turn_kept_open')");
	ok(IPC::Run::finish($checkpoint), "round $round: and completes");
}
unlike(slurp_file($node->logfile), qr/cannot be written, because another process|checkpoint cannot complete/, 'no page was refused, no checkpoint failed');

# ---- stopped
for my $round (1 .. 3)
{
	begin_to_read();
	my $from = -s $node->logfile;
	isnt(checkpoint(), 0, "stopped, round $round: a checkpoint fails");
	like(slurp_file($node->logfile, $from), qr/glassheap could not write block 0 of relation base/, "stopped, round $round: the log names the page");
	isnt(checkpoint(), 0, "stopped, round $round: so does the next one");
	is(update_slow(), 0, "stopped, round $round: an UPDATE");
	# A reader who is just short must not keep the veto up for ever.
	my $checkpoint = open_turn();
	ok($checkpoint, "stopped, round $round: under the veto, too, a turn stays open for a while") or last;
	end_reading();
	sql("SELECT glassheap_stop_point_clear('buffer.turn_kept_open')");
	IPC::Run::finish($checkpoint);
	is(checkpoint(), 0, "stopped, round $round: the first checkpoint afterwards succeeds");
}

# ---- a worker that leaves does not wait for him
for my $type ('glassheap pool writer', 'glassheap checkpoint guardian')
{
	begin_to_read();
	my $pid = worker($type);
	sql("SELECT pg_terminate_backend($pid)");
	is(update_slow(), 0, "$type leaves: an UPDATE");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = '$type' AND pid <> $pid") or die "no new $type";
	isnt(checkpoint(), 0, "$type leaves: a checkpoint fails");
	end_reading();
	wait_until(sub { checkpoint() == 0 }, 'a checkpoint');
	pass("$type leaves: afterwards one succeeds");
}
is(marks(), 0, 'nothing is marked');
is(sql('SELECT sum(n) FROM slow'), $changes, 'all changes are there');
unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
kill_server_9($node);
$node->start;
is(sql('SELECT sum(n) FROM slow'), $changes, 'all changes are there after a kill');

# ---- a shutdown: who leaves first gives up, since the other seems to stay; who is late finds the reader gone and writes everything
my @workers = ('glassheap pool writer', 'glassheap checkpoint guardian');
for my $late (@workers)
{
	my ($first) = grep { $_ ne $late } @workers;
	$reader = GlassheapSession->new($node);
	begin_to_read();
	my ($stopped, $leaving) = map { worker($_) } $late, $first;
	my $reading = sql("SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'");
	my $from = -s $node->logfile;
	# Asleep, so not in its turn.
	$node->poll_query_until('postgres', "SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = $stopped") or die "$late does not rest";
	kill 'STOP', $stopped, $reading;
	wait_for_state(qr/T/, $stopped, $reading);
	system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-W', 'stop');
	wait_until(sub { !kill(0, $leaving) }, "$first to end");
	like(slurp_file($node->logfile, $from), qr/FATAL: .*cannot be written, because another process/, "shutdown, $late is late: the $first gives up");
	kill 'CONT', $reading;
	wait_until(sub { !kill(0, $reading) }, 'the reader to end');
	kill 'CONT', $stopped;
	wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 'the postmaster to end');
	$node->{_pid} = undef;
	my ($state) = run_command([ 'pg_controldata', $node->data_dir ]);
	like($state, qr/cluster state: +shut down$/m, "shutdown, $late is late: it is clean");
	unlike(slurp_file($node->logfile, $from), qr/checkpoint cannot complete|abnormal/, "shutdown, $late is late: no checkpoint failed");
	$node->start;
	is(sql('SELECT sum(n) FROM slow'), $changes, "shutdown, $late is late: all changes are there");
}

# ---- a shutdown: who is late leaves while the other one has given up, and is not gone.  It waits for that, and then writes everything.
# Sessions for replication outlive the others, and can still ask.
for my $late (@workers)
{
	my ($first) = grep { $_ ne $late } @workers;
	my ($asks, $frees) = map { GlassheapSession->new($node, 'postgres', 'replication=database') } 1 .. 2;
	$reader = GlassheapSession->new($node);
	begin_to_read();
	my ($stopped, $leaving) = map { worker($_) } $late, $first;
	my $reading = sql("SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'");
	my $from = -s $node->logfile;
	sql("SELECT glassheap_stop_point_set('buffer.left_with_veto', 'wait'), glassheap_stop_point_set('buffer.partner_awaited', 'wait')");
	$node->poll_query_until('postgres', "SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = $stopped") or die "$late does not rest";
	kill 'STOP', $stopped, $reading;
	wait_for_state(qr/T/, $stopped, $reading);
	system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-W', 'stop');
	$asks->ask("SELECT glassheap_stop_point_wait('buffer.left_with_veto')");
	kill 'CONT', $reading;
	wait_until(sub { !kill(0, $reading) }, 'the reader to end');
	$asks->begin("SELECT glassheap_stop_point_wait('buffer.partner_awaited')");
	kill 'CONT', $stopped;
	wait_until(sub { $asks->ended || !kill(0, $stopped) }, "$late to wait");
	$frees->ask("SELECT glassheap_stop_point_clear('buffer.left_with_veto')");
	wait_until(sub { !kill(0, $leaving) }, "$first to end");
	eval { $frees->ask('SELECT glassheap_stop_point_clear()') };    # where it did not wait, the server is gone by now
	$_->close for $asks, $frees;
	wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 'the postmaster to end');
	$node->{_pid} = undef;
	my ($state) = run_command([ 'pg_controldata', $node->data_dir ]);
	like($state, qr/cluster state: +shut down$/m, "shutdown, $first has given up and is not gone: it is clean");
	unlike(slurp_file($node->logfile, $from), qr/checkpoint cannot complete|abnormal/, "shutdown, $first has given up and is not gone: no checkpoint failed");
	$node->start;
	is(sql('SELECT sum(n) FROM slow'), $changes, "shutdown, $first has given up and is not gone: all changes are there");
}
$node->stop('fast');

# ---- one worker only: a try to lower the veto goes on over its rounds, and ends
$node = new_node('alone', @settings, max_worker_processes => 1, max_logical_replication_workers => 0);
create_two_pools_functions($node);
sql("CREATE TABLE slow (id int, n int); INSERT INTO slow SELECT g, 0 FROM generate_series(1, 10) g; CREATE TABLE other (id int, n int)");
my $only = sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'glassheap%'");
like($only, qr/^\d+$/, 'alone: one worker');
is(checkpoint(), 0, 'alone: a checkpoint');
$changes = 0;
$reader = GlassheapSession->new($node);
begin_to_read();
is(update_slow(), 0, 'alone: an UPDATE of the page leaves it dirty');
isnt(checkpoint(), 0, 'alone: a checkpoint fails');
wait_until(sub { slurp_file($node->logfile) =~ /\[$only\] ERROR: .*cannot be written, because another process/ }, 'the worker to give up');
# Checkpoints that come sooner than its patience lasts do not begin it anew.  A failed one writes no WAL, so that the next redo pointer would
# be the same.
my $said = -s $node->logfile;
wait_until(sub { sql("SELECT pg_logical_emit_message(false, 'a', 'b')"); checkpoint(); return slurp_file($node->logfile, $said) =~ /\[$only\] ERROR: .*cannot be written, because another process/ }, 'the worker to give up beside checkpoints');
pass('alone: it gives up, however many checkpoints come');
my $kept = open_turn();
ok($kept, 'alone: it tries again, and its turn stays open');
end_reading();
sql("SELECT glassheap_stop_point_clear('buffer.turn_kept_open')");
IPC::Run::finish($kept);
is(checkpoint(), 0, 'alone: the first checkpoint afterwards succeeds');
is(sql('SELECT sum(n) FROM slow'), $changes, 'alone: all changes are there');
$node->stop('fast');
done_testing();
