# t/086_idle.pl: on an idle server the checkpoint guardian and the pool writer rest as long as the background writer does, and
# still guard: a change is not written at once, a checkpoint does not wait for the end of a nap, and a page that cannot
# be written is no PANIC, also while a worker is missing for a moment.
#
# Their naps last until somebody ends them (test/modules/worker_naps), so what does not end one does not come back.
# A limit of file size (prlimit --fsize) stands for the disk that fails: writes beyond it do.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapCompare qw(processes_of);
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'heap has no guardians' unless is_glassheap();
plan skip_all => 'no prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = GlassheapNode->new('idle');
# Segments of WAL below the limit.
$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8', '--wal-segsize=1' ], allows_streaming => 1);
$node->append_conf('postgresql.conf', GlassheapTest::common_settings(default_table_access_method => 'heap', max_wal_size => '200MB', bgwriter_delay => '10ms', restart_after_crash => 'off'));

# The workers' naps, mapped by them.
my $folder = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O1', "$FindBin::Bin/../test/modules/worker_naps/worker_naps.c", '-o', "$folder/worker_naps.so", '-ldl');
open my $naps, '+>:raw', "$folder/naps" or die "$folder/naps: $!";
syswrite $naps, pack('q4', 0, -1, 0, -1);
{
	local $ENV{LD_PRELOAD} = "$folder/worker_naps.so";
	local $ENV{GH_NAPS} = "$folder/naps";
	$node->start;
}
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub mode { return sql('SELECT mode FROM glassheap_stat_checkpointer'); }
sub dirty { return sql('SELECT count(*) FROM glassheap_buffercache WHERE isdirty'); }
sub pid_of { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = '$_[0]'"); }
my @guardians = ('glassheap checkpoint guardian', 'glassheap pool writer');

sub switches
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : die "no process $pid";
}

# What a worker wants to wait for right now, in milliseconds, and how often it began to.
sub nap_of { my ($worker) = @_; seek $naps, 16 * $worker, 0; sysread $naps, my $bytes, 16; my ($begun, $asked) = unpack 'q2', $bytes; return ($asked, $begun); }

# Naps grow when there was nothing to do for a while.
sub wait_for_rest
{
	wait_until(sub { (nap_of(0))[0] >= 10_000 && (nap_of(1))[0] >= 5_000 }, 'the workers to rest');
	return;
}

sql('CREATE EXTENSION glassheap');
# Half of each page is free for new versions.
sql("CREATE TABLE t (id int, n int, pad text) USING glassheap WITH (fillfactor = 50); ALTER TABLE t ALTER pad SET STORAGE PLAIN;"
	  . "INSERT INTO t SELECT g, 0, repeat('p', 700) FROM generate_series(1, 6000) g; CREATE INDEX ON t (id)");
my $changes = 0;
sub change    # a row on a page of its own, and beyond the limit
{
	my ($what) = @_;
	++$changes;
	sql("UPDATE t SET n = 1 WHERE id = 5000 + 20 * $changes");
	is(mode(), 'write-back', "$what: changes are not written at once");
	return;
}

cmp_ok(dirty(), '>', 0, 'there are dirty pages');
wait_for_rest();
# The background writer is the clock: where nobody wants a page it naps for half a second.
my $clock = pid_of('background writer');
my ($then, @begun) = (switches($clock), map { (nap_of($_))[1] } 0, 1);
wait_until(sub { switches($clock) >= $then + 16 }, 'the background writer to wake up sixteen times');
is((nap_of($_))[1], $begun[$_], "$guardians[$_]: nobody has called it meanwhile") for 0, 1;
is(mode(), 'write-back', 'they guard nevertheless');
sql('CHECKPOINT');
pass('a checkpoint wakes them');
is(dirty(), 0, '... and has written everything');

wait_for_rest();
change('with nothing dirty');
cmp_ok(dirty(), '>', 0, 'and so it is dirty');
for my $command ('CREATE DATABASE other', 'DROP DATABASE other')
{
	sql($command);
	pass("$command wakes them");
}

wait_for_rest();
my $rounds = "SELECT rounds FROM glassheap_processes WHERE backend_type = 'glassheap pool writer'";
my $before = sql($rounds);
sql('CREATE TABLE more USING glassheap AS SELECT generate_series(1, 1000)');
wait_until(sub { sql($rounds) > $before }, 'a round of the writer');
pass('who asks for pages wakes the writer');

wait_for_rest();
sql($_) for ('ALTER SYSTEM SET log_checkpoints = off', 'SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT setting = 'off' FROM pg_settings WHERE name = 'log_checkpoints'") or die 'no reload';
sql('CHECKPOINT');
pass('a checkpoint that nobody announces completes');
wait_until(sub { my ($asked) = nap_of(0); $asked >= 0 && $asked <= 200 }, 'a short nap');
pass('... for they look often then');
sql($_) for ('ALTER SYSTEM RESET log_checkpoints', 'SELECT pg_reload_conf()');

# A round of the writer that ended at its limit is no reason to rest.
sql($_) for ('ALTER SYSTEM SET glassheap.writer_max_pages = 1', 'SELECT pg_reload_conf()');
sql("INSERT INTO t SELECT 0, 0, repeat('q', 700) FROM generate_series(1, 12000)");
my $pages = "SELECT buffers_clean FROM glassheap_stat_bgwriter";
my $written = sql($pages);
wait_until(sub { sql($pages) > $written + 5 }, 'the writer to go on');
pass('the writer goes on where its limit stopped it');
sql($_) for ('ALTER SYSTEM RESET glassheap.writer_max_pages', 'SELECT pg_reload_conf()');

# ---- the disk fails
sub limit_files
{
	my ($limit) = @_;
	# One of the last sessions may be on its way out.
	for my $process ($node->{_pid}, processes_of($node->{_pid}))
	{
		system('prlimit', '--pid', $process, "--fsize=$limit:") == 0 or !-e "/proc/$process" or die 'prlimit';
	}
	return;
}
sql('CHECKPOINT');
wait_for_rest();
limit_files(3 * 1024 * 1024);
change('after a rest, with a disk that fails');
isnt($node->psql('postgres', 'CHECKPOINT'), 0, 'CHECKPOINT fails');
like(sql('SELECT unwritable FROM glassheap_stat_checkpointer'), qr/^block \d+ of relation base/, '... for the page that cannot be written');
for my $worker (@guardians)
{
	my $pid = pid_of($worker);
	sql("SELECT pg_terminate_backend($pid)");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = '$worker' AND pid <> $pid") or die "no $worker";
	$node->poll_query_until('postgres', "SELECT mode = 'write-back' FROM glassheap_stat_checkpointer") or die "$worker does not guard";
	change("after $worker was terminated");
	isnt($node->psql('postgres', 'CHECKPOINT'), 0, 'CHECKPOINT fails');
}
limit_files('unlimited');
is($node->psql('postgres', 'CHECKPOINT'), 0, 'CHECKPOINT succeeds when the disk is well again');
unlike(slurp_file($node->logfile), qr/PANIC/, 'nobody panicked');
kill_server_9($node);
$node->start;
is(sql('SELECT sum(n) FROM t'), $changes, 'after a kill all changes are there');
$node->stop('fast');
done_testing();
