# t/085_stopped_worker.pl: a worker that is stopped (SIGSTOP) holds up checkpoints, but not in silence; it can be
# terminated.  Nor do both, stopped at once.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCompare qw(wait_for_state);
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no workers' unless is_glassheap();

my $node = new_node('stopped', restart_after_crash => 'off', max_logical_replication_workers => 0);    # their launcher commits
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub pid_of { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = '$_[0]'"); }

sql('CREATE TABLE t (id int)');
for my $worker ('glassheap checkpoint guardian', 'glassheap pool writer')
{
	my $pid = pid_of($worker);
	my $log_start = -s $node->logfile;
	sql('INSERT INTO t VALUES (1)');
	kill 'STOP', $pid;
	my $checkpoint = start_background($node, sql => 'CHECKPOINT');
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /glassheap has waited \d+ s for process $pid \(\Q$worker\E\)/ }, 'a log line');
	pass("the log names the stopped $worker");
	is(sql('SELECT string_agg(backend_type, \' \') FROM glassheap_processes WHERE overdue'), $worker, '... and so does the view');
	is(sql('SELECT waiting_for FROM glassheap_stat_checkpointer'), $pid, '... and the other one');
	ok($checkpoint->pumpable, 'the checkpoint waits');
	sql('INSERT INTO t VALUES (1)');
	kill 'CONT', $pid;
	ok(IPC::Run::finish($checkpoint), 'it completes when the process goes on');
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /which has answered now/ }, 'the good news');
	is(sql('SELECT count(*) FROM glassheap_processes WHERE overdue'), 0, 'nobody is overdue');

	# Terminated while it is stopped, with a checkpoint waiting.
	sql('INSERT INTO t VALUES (1)');
	kill 'STOP', $pid;
	$checkpoint = start_background($node, sql => 'CHECKPOINT');
	sql("SELECT pg_terminate_backend($pid)");
	kill 'CONT', $pid;
	ok(IPC::Run::finish($checkpoint), 'the checkpoint completes when the stopped process is terminated');
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = '$worker' AND pid <> $pid")
	  or die "no new $worker";
}
is(sql('SELECT count(*) FROM t'), 6, 'all rows are there');

# Both at once: no partner is awake.  The session that runs CHECKPOINT says so, and nobody else does anything.
my %pid = map { $_ => pid_of($_) } 'glassheap checkpoint guardian', 'glassheap pool writer';
my $log_start;

sub stop_both
{
	sql('INSERT INTO t VALUES (1)');
	$log_start = -s $node->logfile;
	kill 'STOP', values %pid;
	wait_for_state(qr/T/, values %pid);
	return;
}

sub both_are_named
{
	my $log = slurp_file($node->logfile, $log_start);
	return 2 == grep { $log =~ /glassheap has waited \d+ s for process $pid{$_} \(\Q$_\E\)/ } keys %pid;
}

sub both_go_on
{
	my ($waiting) = @_;
	kill 'CONT', values %pid;
	ok(IPC::Run::finish($waiting), 'it completes when both go on');
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /which has answered now/ }, 'the good news');
	$node->poll_query_until('postgres', 'SELECT NOT bool_or(overdue) FROM glassheap_processes') or die 'still overdue';
	return;
}

stop_both();
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
wait_until(\&both_are_named, 'both in the log');
pass('whoever runs CHECKPOINT names both stopped processes');
ok($checkpoint->pumpable, '... and waits');
is(sql('SELECT waiting_for FROM glassheap_stat_checkpointer'), $pid{'glassheap checkpoint guardian'}, '... and the view one of them');
both_go_on($checkpoint);

# A checkpoint that was begun otherwise: the checkpointer itself says so, and needs no session.
my $backup = q{SELECT pg_backup_start('both', true)};
stop_both();
my $waiting = start_background($node, sql => $backup);
wait_until(sub { slurp_file($node->logfile, $log_start) =~ /checkpoint starting/ }, 'a checkpoint');
my $said = slurp_file($node->logfile, $log_start);
like($said, qr/process $pid{$_} \(\Q$_\E\) is stopped, and a checkpoint begins/, "when its checkpoint begins, the checkpointer names the $_") for sort keys %pid;
both_go_on($waiting);

# Nor does it name one that leaves, and is awake.
sql('INSERT INTO t VALUES (1)');
if (has_stop_points($node))
{
	my $guardian = $pid{'glassheap checkpoint guardian'};
	sql("SELECT glassheap_stop_point_set('buffer.guardian_leaves', 'wait')");
	kill 'TERM', $guardian;
	sql("SELECT glassheap_stop_point_wait('buffer.guardian_leaves')");
	$log_start = -s $node->logfile;
	kill 'STOP', $pid{'glassheap pool writer'};
	wait_for_state(qr/T/, $pid{'glassheap pool writer'});
	$waiting = start_background($node, sql => $backup);
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /checkpoint starting/ }, 'a checkpoint');
	$said = slurp_file($node->logfile, $log_start);
	like($said, qr/process $pid{'glassheap pool writer'} \(glassheap pool writer\) is stopped/, 'one is stopped, the other leaves: the first is named');
	unlike($said, qr/process $guardian /, '... and the other is not');
	kill 'CONT', $pid{'glassheap pool writer'};
	sql('SELECT glassheap_stop_point_clear()');
	ok(IPC::Run::finish($waiting), '... and the checkpoint completes');
	wait_until(sub { ($pid{'glassheap checkpoint guardian'} = pid_of('glassheap checkpoint guardian')) =~ /^\d+$/ && $pid{'glassheap checkpoint guardian'} != $guardian }, 'a new guardian');
}

# One is stopped when it has begun: the checkpoint passes neither.  Sessions that end transactions say so.
sql('INSERT INTO t VALUES (1)');
$log_start = -s $node->logfile;
my ($first, $second) = values %pid;
kill 'STOP', $first;
wait_for_state(qr/T/, $first);
$waiting = start_background($node, sql => $backup);
wait_until(sub { slurp_file($node->logfile, $log_start) =~ /checkpoint starting/ }, 'a checkpoint');
kill 'STOP', $second;
wait_until(sub { sql('SELECT 1'); return both_are_named(); }, 'both in the log');    # not the view, which looks itself
pass('whoever commits names both while a checkpoint waits');
both_go_on($waiting);
is(sql('SELECT count(*) FROM t'), 10, 'all rows are there');

unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
kill_server_9($node);
$node->start;
is(sql('SELECT count(*) FROM t'), 10, 'all rows are there after a kill');
$node->stop('fast');
done_testing();
