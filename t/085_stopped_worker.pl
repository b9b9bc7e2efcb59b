# t/085_stopped_worker.pl: a worker that is stopped (SIGSTOP) holds up checkpoints, but not in silence; it can be
# terminated.
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

my $node = new_node('stopped', restart_after_crash => 'off');
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

unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
kill_server_9($node);
$node->start;
is(sql('SELECT count(*) FROM t'), 6, 'all rows are there after a kill');
$node->stop('fast');
done_testing();
