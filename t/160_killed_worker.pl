# t/160_killed_worker.pl: a worker is killed with SIGKILL while a checkpoint waits for it, each of the three in turn: nobody hangs, the server
# recovers, nothing acknowledged is lost, and all workers are there again and guard.  Idle afterwards, the three together wake up
# less than five times a second.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no workers' unless is_glassheap();

# The background writer is the clock: where nobody wants a page it naps for half a second.
my $node = new_node('killed', 'glassheap.autoprewarm' => 'on', restart_after_crash => 'on', bgwriter_delay => '10ms');
sub sql { return $node->safe_psql('postgres', $_[0]); }
my @workers = ('glassheap checkpoint guardian', 'glassheap pool writer', 'glassheap prewarm');
sub pid_of { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = '$_[0]'"); }
sub all_are_there
{
	my $list = join ', ', map { "'$_'" } @workers;
	$node->poll_query_until('postgres', "SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type IN ($list)") or die 'a worker is missing';
	$node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'they do not guard';
	return;
}

sql('CREATE TABLE t (id int, pad text)');
my $rows = 0;
all_are_there();
for my $worker (@workers)
{
	my $pid = pid_of($worker);
	sql("INSERT INTO t SELECT g, repeat('k', 500) FROM generate_series(1, 500) g");
	$rows += 500;
	# The prewarm worker holds up no checkpoint.
	my $holds = $worker ne 'glassheap prewarm';
	kill 'STOP', $pid;
	my $checkpoint = start_background($node, sql => 'CHECKPOINT');
	if ($holds)
	{
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event IN ('CheckpointStart', 'CheckpointDone')") or die 'no checkpoint waits';
	}
	else
	{
		ok(IPC::Run::finish($checkpoint), "$worker, stopped: a checkpoint completes");
	}
	my $log = -s $node->logfile;
	kill 'KILL', $pid;
	ok(!IPC::Run::finish($checkpoint), "$worker, killed: who waits for the checkpoint is told") if $holds;
	wait_until(sub { slurp_file($node->logfile, $log) =~ /database system is ready to accept connections/ }, 'the server to recover');
	like(slurp_file($node->logfile, $log), qr/background worker "\Q$worker\E" \(PID $pid\) was terminated by signal 9/, "$worker: the log names it");
	all_are_there();
	is(sql('SELECT count(*) FROM t'), $rows, "$worker: all rows are there");
	sql('CHECKPOINT');
	pass("$worker: a checkpoint completes");
}
is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, 'the table is sound');

# ---- idle
sub switches
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : die "no process $pid";
}
my %pid = map { $_ => pid_of($_) } @workers, 'background writer';
sub ticks { my ($from, $count) = @_; wait_until(sub { switches($pid{'background writer'}) >= $from + $count }, 'the clock'); return; }
# They look often for some seconds after a checkpoint.
ticks(switches($pid{'background writer'}), 14);
my ($seconds, $then) = (4, switches($pid{'background writer'}));
my %before = map { $_ => switches($pid{$_}) } @workers;
ticks($then, 2 * $seconds);
my %wakeups = map { $_ => switches($pid{$_}) - $before{$_} } @workers;
my $together = 0;
$together += $_ for values %wakeups;
note join ', ', map { "$_ $wakeups{$_}" } @workers;
cmp_ok($together, '<=', 5 * $seconds, 'idle: at most five wakeups a second together');

# ---- and woken by work
sql("INSERT INTO t SELECT g, repeat('k', 500) FROM generate_series(1, 2000) g");
my $writer = switches($pid{'glassheap pool writer'});
wait_until(sub { switches($pid{'glassheap pool writer'}) > $writer }, 'the writer to wake up');
pass('work wakes the writer');
sql('CHECKPOINT');
is(sql('SELECT count(*) FROM glassheap_buffercache WHERE isdirty'), 0, 'a checkpoint wakes them');
$node->stop;
done_testing();
