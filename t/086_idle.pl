# t/086_idle.pl: on an idle server the two guardians and the pool writer rest nearly as the background writer does, and
# still guard: a change is not written at once, a checkpoint does not wait for the end of a nap, and a page that cannot
# be written is no PANIC, also while a worker is missing for a moment.
#
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
use Time::HiRes qw(time usleep);

plan skip_all => 'heap has no guardians' unless is_glassheap();
plan skip_all => 'no prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = GlassheapNode->new('idle');
# Segments of WAL below the limit.
$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8', '--wal-segsize=1' ], allows_streaming => 1);
$node->append_conf('postgresql.conf', GlassheapTest::common_settings(default_table_access_method => 'heap', max_wal_size => '200MB', restart_after_crash => 'off'));
$node->start;
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

# While anything is to do their turns follow each other in half a second.
sub wait_for_rest
{
	$node->poll_query_until('postgres', "SELECT now() - last_turn > interval '3 s' FROM glassheap_stat_checkpointer") or die 'no rest';
	return;
}

# Wake-ups in twenty seconds, by process.
sub count_wakeups
{
	my %pid = map { $_ => pid_of($_) } @guardians, 'background writer';
	my %before = map { $_ => switches($pid{$_}) } keys %pid;
	usleep(20_000_000);
	my %count = map { $_ => switches($pid{$_}) - $before{$_} } keys %pid;
	note "$_: $count{$_} wake-ups in 20 s" for sort keys %count;
	return %count;
}

# Seconds that it takes; a nap is ten.
sub quick
{
	my ($statement, $what) = @_;
	my $began = time;
	sql($statement);
	cmp_ok(time - $began, '<', 5, $what);
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
my %idle = count_wakeups();
cmp_ok($idle{$_}, '<=', 10, "$_: few wake-ups") for @guardians;
is(mode(), 'write-back', 'they guard nevertheless');
quick('CHECKPOINT', 'a checkpoint wakes them');
is(dirty(), 0, '... and has written everything');

wait_for_rest();
change('with nothing dirty');
cmp_ok(dirty(), '>', 0, 'and so it is dirty');
quick($_, "$_ does not wait") for ('CREATE DATABASE other', 'DROP DATABASE other');

wait_for_rest();
my $rounds = "SELECT rounds FROM glassheap_processes WHERE backend_type = 'glassheap pool writer'";
my $before = sql($rounds);
my $began = time;
sql('CREATE TABLE more USING glassheap AS SELECT generate_series(1, 1000)');
wait_until(sub { sql($rounds) > $before }, 'a round of the writer');
cmp_ok(time - $began, '<', 5, 'who asks for pages wakes the writer');

wait_for_rest();
sql($_) for ('ALTER SYSTEM SET log_checkpoints = off', 'SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT setting = 'off' FROM pg_settings WHERE name = 'log_checkpoints'") or die 'no reload';
quick('CHECKPOINT', 'a checkpoint that nobody announces does not wait long either');
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
