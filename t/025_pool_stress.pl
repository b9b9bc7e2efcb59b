# t/025_pool_stress.pl: a pool of 1 MB under many clients, DDL that rolls back, and backends and workers that are
# terminated all the time; then the same books after kill -9 right after a CHECKPOINT, and once more without any
# worker (write-through).  What is terminated is seen to be gone, pages are seen to leave the pool and checkpoints to
# complete before the end comes.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'about the pool' unless is_glassheap();

seed_from_environment();
my $node = new_node('stress', 'glassheap.buffers' => '1MB', restart_after_crash => 'on');
my $folder = PostgreSQL::Test::Utils::tempdir();

my $ddl = "$folder/ddl.sql";
append_to_file($ddl, <<'SQL');
\set r random(1, 6)
\set n random(1, 1500)
CREATE TABLE IF NOT EXISTS d:client_id (a int, b text);
\if :r = 1
BEGIN; CREATE TABLE e:client_id AS SELECT g, repeat('y', 100) FROM generate_series(1, :n) g; ROLLBACK;
\elif :r = 2
TRUNCATE d:client_id; INSERT INTO d:client_id SELECT g, repeat('z', 50) FROM generate_series(1, :n) g;
\elif :r = 3
DROP TABLE d:client_id;
\elif :r = 4
BEGIN; SAVEPOINT s; INSERT INTO d:client_id SELECT g, 'k' FROM generate_series(1, :n) g;
CREATE TABLE f:client_id AS SELECT * FROM d:client_id; ROLLBACK TO s; INSERT INTO d:client_id VALUES (1); COMMIT;
\elif :r = 5
CREATE TEMP TABLE t:client_id AS SELECT g AS a, repeat('y', 200) AS b FROM generate_series(1, :n * 4) g;
UPDATE t:client_id SET a = a + 1; SELECT count(*) FROM t:client_id; DROP TABLE t:client_id;
\else
INSERT INTO d:client_id SELECT g, repeat('y', 100) FROM generate_series(1, :n) g; SELECT count(*) FROM d:client_id;
\endif
SQL

my $balanced = <<'SQL';
SELECT count(DISTINCT s) FROM (SELECT sum(abalance) AS s FROM pgbench_accounts UNION ALL
 SELECT sum(tbalance) FROM pgbench_tellers UNION ALL SELECT sum(bbalance) FROM pgbench_branches UNION ALL
 SELECT coalesce(sum(delta), 0) FROM pgbench_history) x
SQL
my $damage = <<'SQL';
SELECT count(*) FROM pg_class c, LATERAL glassheap_verify(c.oid::regclass) WHERE c.relkind = 'r'
 AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'glassheap') AND c.relname ~ '^(pgbench|[def][0-9])'
SQL

sub start_pgbench
{
	my (@options) = @_;
	my $output = '';
	my $run = IPC::Run::start([ $node->installed_command('pgbench'), '-n', '-T', 3600, '--random-seed=' . int(rand(2**31)), @options, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \$output, '2>&1');
	return $run;
}

sub check_books
{
	my ($when) = @_;
	is($node->safe_psql('postgres', $balanced), '1', "books balance $when");
	is($node->safe_psql('postgres', $damage), '0', "nothing is damaged $when");
	return;
}

# What has happened since the start of the server: evictions, checkpoints, and transactions of the books' clients.
sub progress
{
	my %now;
	@now{qw(evictions checkpoints transactions)} = split /\|/, $node->safe_psql('postgres',
		"SELECT (SELECT evictions FROM glassheap_stat_totals()), (SELECT checkpoints_req FROM pg_stat_bgwriter), n_tup_ins FROM pg_stat_user_tables WHERE relname = 'pgbench_history'");
	return \%now;
}

# Some of those who match are terminated, but at least one, who may still be on his way; returns when they are gone, and how
# many they were.
sub terminate_some
{
	my ($who, $chance) = @_;
	my @all;
	wait_until(sub { return @all = split /\n/, $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $who ORDER BY pid") }, 'somebody to terminate');
	my @chosen = grep { rand() < $chance } @all;
	@chosen = ($all[ int rand @all ]) unless @chosen;
	my $pids = join ',', @chosen;
	my $told = $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE pg_terminate_backend(p)) FROM unnest(ARRAY[$pids]) p");
	wait_until(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids)") == 0 }, 'the terminated to go');
	return $told;
}

# Eight times: trouble, some work, CHECKPOINT; the end comes right after the last one.  Returns how many were terminated.
sub load_and_kill
{
	my ($what, %trouble) = @_;
	my $terminated = 0;
	my @kinds = ([ '-c', 10 ], [ '-c', 5, '-f', $ddl ]);
	my @load = map { start_pgbench(@$_) } @kinds;
	my $begin = progress();
	for (1 .. 8)
	{
		my $before = progress();
		$terminated += terminate_some(@{ $trouble{terminate} }) if $trouble{terminate};
		for (0, 1)    # clients that were terminated do not come back
		{
			eval { $load[$_]->pump_nb };
			$load[$_] = start_pgbench(@{ $kinds[$_] }) unless $load[$_]->pumpable;
		}
		wait_until(sub { progress()->{transactions} > $before->{transactions} + 50 }, 'the clients to work');
		$node->safe_psql('postgres', 'CHECKPOINT');
	}
	my $end = progress();
	my $log_start = -s $node->logfile;
	kill_server_9($node);
	$_->kill_kill for @load;
	$node->start;
	like(slurp_file($node->logfile, $log_start), qr/redo starts at/, "$what: the server recovered");
	cmp_ok($end->{$_}, '>=', $begin->{$_} + 8, "$what: there were " . ($end->{$_} - $begin->{$_}) . " $_") for qw(evictions checkpoints transactions);
	cmp_ok($terminated, '>=', 8, "$what: $terminated were terminated") if $trouble{terminate};
	check_books("after a crash: $what");
	return;
}

$node->command_ok([ 'pgbench', '-i', '-q', '-s', 2, $node->connstr('postgres') ], 'pgbench -i');

load_and_kill("workers terminated, round $_", terminate => [ "backend_type LIKE 'glassheap%'", 0.7 ]) for 1 .. 3;
load_and_kill('backends terminated', terminate => [ "backend_type = 'client backend' AND pid <> pg_backend_pid()", 0.1 ]);

# The server lives on this time.
my @load = (start_pgbench('-c', 10), start_pgbench('-c', 5, '-f', $ddl));
my $others = "backend_type = 'client backend' AND pid <> pg_backend_pid()";
my $transactions = progress()->{transactions};
wait_until(sub { progress()->{transactions} > $transactions + 50 }, 'the clients to work');
my $gone = terminate_some($others, 0.5);
$_->kill_kill for @load;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE $others") or die 'clients did not go';
cmp_ok($gone, '>', 0, "$gone backends were terminated under load");
# The writer's own pins come and go.
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM glassheap_buffercache WHERE pinning_backends > 0'), 'no pin is left');

# One backend dies: the postmaster restarts the others on fresh shared memory.
my $before = $node->safe_psql('postgres', 'SELECT sum(abalance) FROM pgbench_accounts');
my $victim = GlassheapSession->new($node);
my $log_start = -s $node->logfile;
kill 'KILL', $victim->ask('SELECT pg_backend_pid()');
wait_until(sub { slurp_file($node->logfile, $log_start) =~ /terminated by signal 9/ }, 'the backend to die');
$victim->close;
$node->poll_query_until('postgres', 'SELECT true') or die 'no restart after a backend crashed';
is($node->safe_psql('postgres', 'SELECT sum(abalance) FROM pgbench_accounts'), $before,
	'same sum after a crash restart');
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type IN ('glassheap checkpoint guardian', 'glassheap pool writer')")
  or die 'the workers did not come back';
pass('the workers are back');

# Without a worker every change is written through.
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'glassheap%'"),
	'0', 'no worker runs');
load_and_kill('write-through');

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC/, 'no PANIC');
unlike($log, qr/leaked pin/, 'no pin leaked');
$node->stop;
done_testing();
