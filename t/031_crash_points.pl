# t/031_crash_points.pl: a process dies (SIGKILL) at each stop point in the middle of a statement; the server restarts by
# itself, and the table is what it was before the statement that was never acknowledged.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Few enough processes that a scan of so small a pool may read ahead.
my $node = new_node('points', 'glassheap.buffers' => '1MB', max_connections => 20, restart_after_crash => 'on',
	wal_consistency_checking => "'glassheap'");
plan skip_all => 'needs a build with stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');

my $change = "UPDATE t SET n = n + 1, pad = repeat('c', 300) WHERE id % 5 = 0;";
my %cases = (
	# Pages one by one, and in runs of a sequential scan.
	'buffer.page_read' => [ 'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(pad) FROM t WHERE id > 0;', 0 ],
	'buffer.run_read' => [ $change, 0 ],
	'buffer.victim_claimed' => [ $change, 0, 50 ],
	'buffer.extend_before_file' => [ "INSERT INTO t SELECT g, 0, repeat('i', 500) FROM generate_series(100001, 103000) g;", 0, 2 ],
	'buffer.extend_after_file' => [ "INSERT INTO t SELECT g, 0, repeat('i', 500) FROM generate_series(100001, 103000) g;", 0, 2 ],
	'buffer.page_write' => [ $change . 'CHECKPOINT;', 0, 30 ],
	'scan.before_latch' => [ 'SELECT count(pad) FROM t;', 0, 30 ],
	'heap.old_version_locked' => [ $change, 0, 20 ],
	'vacuum.before_page' => [ 'VACUUM t;', 0, 25 ],
	'vacuum.before_second_pass' => [ 'VACUUM t;', 0 ],
	'vacuum.before_truncate' => [ 'VACUUM t;', 0 ],
	'lifecycle.truncate_before_wal' => [ 'VACUUM t;', 0 ],
	'lifecycle.truncate_between_wal_and_files' => [ 'VACUUM t;', 0 ],
	'buffer.guardian_before_rotate' => [ $change . 'CHECKPOINT;', 0, 1, 5 ],
);

# The server answers again.  A psql that is refused is gone before its query is written, which IPC::Run may take for
# an error of ours.
sub wait_for_restart
{
	wait_until(
		sub {
			my $rc = eval { ($node->psql('postgres', 'SELECT txid_current()'))[0] };
			return defined $rc && $rc == 0;
		},
		'the server to restart');
	return;
}

for my $point (sort keys %cases)
{
	my ($statement, @skips) = @{ $cases{$point} };
	for my $skip (@skips)
	{
		$node->safe_psql('postgres', "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, n int, pad text) USING glassheap;"
			. "INSERT INTO t SELECT g, 0, repeat('p', 200) FROM generate_series(1, 12000) g");
		# An empty tail for VACUUM to give back, dead rows for its second pass.
		$node->safe_psql('postgres', 'DELETE FROM t WHERE id > 9000 OR id % 7 = 0') if $point =~ /vacuum|truncate/;
		my $before = table_digest($node, 't');
		my $log_start = -s $node->logfile;
		$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$point', 'kill', $skip)");
		my ($rc, $out, $err) = $node->psql('postgres', "BEGIN; COMMIT; $statement");
		# The victim may be a worker, which dies in its own time; and before the postmaster has seen the death, it lets in who asks.
		wait_until(sub { slurp_file($node->logfile, $log_start) =~ /terminated by signal 9/ }, 'somebody to die');
		wait_for_restart();
		pass("$point, passage $skip: somebody died there");
		my $acknowledged = $rc == 0 && $statement eq $change . 'CHECKPOINT;';
		my $now = table_digest($node, 't');
		if ($acknowledged || $point =~ /^(?:buffer\.guardian_before_rotate|buffer\.page_write)$/)
		{
			my $changed = $node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE n = 1');
			ok($changed eq '2400' || (!$acknowledged && $changed eq '0'), "$point, passage $skip: the update is there as a whole")
			  or diag("$changed rows");
		}
		else
		{
			is($now, $before, "$point, passage $skip: the table is what it was");
		}
		is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('t') LIMIT 5"), '', "$point, passage $skip: structure is whole");
		($rc, $out, $err) = $node->psql('postgres', "SELECT bt_index_check('t_pkey', heapallindexed => true); $change VACUUM t;");
		is($err, '', "$point, passage $skip: index and table agree, work goes on");
	}
}
unlike(slurp_file($node->logfile), qr/PANIC|signal 6|signal 11|inconsistent page/, 'nobody died but on order');
done_testing();
