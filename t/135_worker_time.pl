# t/135_worker_time.pl: when a worker rests.  A call that comes while it is at work, and whose latch is reset there, is no call that is
# lost: here the writer's naps last until somebody ends them (test/modules/worker_time), so a lost one is a checkpoint that never completes.  And when
# the clock is set back a day, no worker rests a day.
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

plan skip_all => 'heap has no workers' unless is_glassheap();

my $node = new_node('main', 'glassheap.writer_delay' => '10ms', restart_after_crash => 'off');
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
create_two_pools_functions($node);
my $folder = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O1', "$FindBin::Bin/../test/modules/worker_time/worker_time.c", '-o', "$folder/worker_time.so", '-ldl');

# Mapped by the server's processes.
open my $told, '+>:raw', "$folder/time" or die "$folder/time: $!";
sub tell_time
{
	my ($seconds, $naps_last) = @_;
	sysseek $told, 0, 0;
	syswrite $told, pack('qq', $seconds * 1_000_000, $naps_last);
	return;
}
sub writer_naps { sysseek $told, 16, 0; sysread $told, my $naps, 8; return unpack('q', $naps); }
syswrite $told, pack('qqq', 0, 0, 0);
$node->stop;
{
	local $ENV{LD_PRELOAD} = "$folder/worker_time.so";
	local $ENV{GH_TIME} = "$folder/time";
	$node->start;
}
make_table('t');
my $writer = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'glassheap pool writer'");

# ---- a call while the writer is looking
tell_time(0, 1);
wait_until(\&writer_naps, 'the writer to nap');
stop_point('buffer.watch_core_pool', 'wait');
kill 'HUP', $writer;    # it alone, so that the turn is free
wait_for_stop('buffer.watch_core_pool');
my $from = -s $node->logfile;
my $checkpoint = start_background($node, sql => 'CHECKPOINT');
# By then the guardian has called it as well, and does not call again.
wait_until(sub { slurp_file($node->logfile, $from) =~ /glassheap has waited \d+ s for process $writer / }, 'the guardian to wait');
ok($checkpoint->pumpable, 'called while it looks: the checkpoint waits');
clear_stop_points();
wait_until(sub { !$checkpoint->pumpable }, 'the checkpoint, for which the writer was called while it was looking');
ok(IPC::Run::finish($checkpoint), 'called while it looks: it comes at once');

# ---- a rest, and a checkpoint that ends it
wait_until(\&writer_naps, 'the writer to nap');
sql('CHECKPOINT');
pass('called while it rests: it comes');

# ---- the clock is set back
tell_time(0, 0);
sql('CHECKPOINT');
my $now = sql('SELECT now()');
tell_time(-86_400, 0);
is(sql("SELECT now() < '$now'"), 't', 'the clock is set back');
$from = -s $node->logfile;
sql("SELECT two_pools_insert('t', 11, 'theirs')");
wait_until(sub { noticed($from) }, 'the writer to look at shared_buffers');
pass('set back: the writer looks at shared_buffers');
my $rounds = "SELECT rounds FROM glassheap_processes WHERE backend_type = 'glassheap pool writer'";
my $before = sql($rounds);
sql('CREATE TABLE more AS SELECT generate_series(1, 1000)');
wait_until(sub { sql($rounds) > $before }, 'a round of the writer');
pass('set back: it writes ahead');
sql('CHECKPOINT');
is(ids('t'), '1 2 3 4 5 6 7 8 9 10 11', 'set back: a checkpoint completes');
is(marks(), 0, 'nothing is marked');
$node->stop;
done_testing();
