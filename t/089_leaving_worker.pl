# t/089_leaving_worker.pl: a checkpoint may have let one holder go (it took a new virtual transaction after the
# checkpointer had made its list) and wait for the other one alone.  When the first now leaves, the other one is alone,
# but must not lower its flag before everything is written; and a holder that cannot write everything leaves its veto.
#
# The moments are held by stop points, so that nothing is left to luck.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no guardians' unless is_glassheap();

my $node = new_node('leaving', 'glassheap.writer_max_pages' => 0, bgwriter_lru_maxpages => 0, restart_after_crash => 'off');
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($node);
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub stop_at { return sql("SELECT glassheap_stop_point_set('$_[0]', '$_[1]')"); }
sub wait_at { return sql("SELECT glassheap_stop_point_wait('$_[0]')"); }
sub go_on   { return sql("SELECT glassheap_stop_point_clear('$_[0]')"); }
sub write_back { $node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die 'no write-back'; return; }

sub switches
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : die "no process $pid";
}
sub wait_for_rounds
{
	my ($pid, $count) = @_;
	my $before = switches($pid);
	wait_until(sub { switches($pid) >= $before + $count }, "process $pid to go on");
	return;
}

# The holder that is held at a stop point, and the other one, which looks for its turn all the time.
sub held_and_other
{
	my @pids = split /\n/, sql("SELECT pid FROM pg_stat_activity WHERE backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')");
	my @before = map { switches($_) } @pids;
	my $ahead;
	wait_until(sub {
			my @rounds = map { switches($pids[$_]) - $before[$_] } 0, 1;
			$ahead = abs($rounds[0] - $rounds[1]) < 20 ? undef : $rounds[0] > $rounds[1] ? 0 : 1;
			return defined $ahead;
		}, 'one holder to be held');
	return @pids[ 1 - $ahead, $ahead ];
}

my $changed = 0;
sub change
{
	$changed += 50;
	sql('UPDATE r SET v = v + 1 WHERE id <= 50');
	sql('SELECT mode FROM glassheap_stat_checkpointer') eq 'write-back' or die 'changes are written at once';
	return;
}

sql('CREATE TABLE r (id int, v int); INSERT INTO r SELECT g, 0 FROM generate_series(1, 100) g');
my $checkpointer = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");

sub dirty_pages { return sql("SELECT count(*) FROM glassheap_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('r')"); }

# A holder has looked at the redo pointer and has yet to rotate when the checkpoint lists those it waits for; then it
# leaves.  The other one is stopped meanwhile, for it might take a turn before that, and write everything.
sub leave_in_the_middle
{
	sql('CHECKPOINT');
	write_back();
	stop_at('buffer.guardian_before_rotate', 'wait');
	wait_at('buffer.guardian_before_rotate');
	my ($held, $other) = held_and_other();
	change();
	my $log_start = -s $node->logfile;
	my $checkpoint = start_background($node, sql => 'CHECKPOINT');
	wait_until(sub { slurp_file($node->logfile, $log_start) =~ /checkpoint starting/ }, 'the checkpoint to begin');
	wait_for_rounds($checkpointer, 5);    # it looks every 10 ms whether its list is empty
	stop_at('buffer.guardian_leaves', 'wait');
	kill 'STOP', $other;
	kill 'TERM', $held;
	go_on('buffer.guardian_before_rotate');
	wait_at('buffer.guardian_leaves');
	kill 'CONT', $other;
	wait_for_rounds($other, 4);
	ok($checkpoint->pumpable, 'the checkpoint waits for what the leaving holder has to write');
	cmp_ok(dirty_pages(), '>', 0, '... which is still to be written');
	return $checkpoint;
}

my $checkpoint = leave_in_the_middle();
go_on('buffer.guardian_leaves');
ok(IPC::Run::finish($checkpoint), 'it completes when that is written');
is(dirty_pages(), 0, '... everything');
write_back();
$checkpoint = leave_in_the_middle();
kill_server_9($node);
eval { IPC::Run::finish($checkpoint) };
$node->start;
is(sql('SELECT sum(v) FROM r'), $changed, 'after a kill in this moment nothing is lost');

# An error on leaving, before anything is written.
write_back();
change();
stop_at('buffer.guardian_leaves', 'error');
my $log_start = -s $node->logfile;
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'glassheap checkpoint guardian'");
sql("SELECT pg_terminate_backend($pid)");
wait_until(sub { slurp_file($node->logfile, $log_start) =~ /glassheap has written all dirty pages; checkpoints can complete again/ },
	'the successor to lower the veto');
pass('a holder that leaves with an error leaves its veto, until its successor has written everything');
is($node->psql('postgres', 'CHECKPOINT'), 0, 'a checkpoint succeeds');
kill_server_9($node);
$node->start;
is(sql('SELECT sum(v) FROM r'), $changed, 'nothing is lost after an error on leaving');

# An error at the start of a holder, with a page of core's in hand (its victim cannot be written): it must let go.
sql('CREATE EXTENSION pg_buffercache');
write_back();
sub veto_pins { return sql("SELECT string_agg(pinning_backends::text, ' ' ORDER BY relfilenode) FROM pg_buffercache WHERE reltablespace = 1663 AND reldatabase = 0"); }
is(veto_pins(), '1 1 1', 'each holder has its page pinned');
stop_at('buffer.veto_page_read', 'error');
$log_start = -s $node->logfile;
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'glassheap checkpoint guardian'");
wait_until(sub { slurp_file($node->logfile, $log_start) =~ /ERROR:.*buffer\.veto_page_read/ }, 'the successor to fail');
write_back();
is(veto_pins(), '1 1 1', 'a holder that fails at its start keeps no pin');
$node->stop('fast');
done_testing();
