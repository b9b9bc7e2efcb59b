# t/088_small_mends.pl: no memory in the commit callback is no PANIC; ignore_checksum_failure reports and counts pages
# that came by read-ahead; what a standby says about its pool; counters of processes agree.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('mends', restart_after_crash => 'off');
my $am = access_method();
sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- core's list of files to unlink is asked for once more after the commit record; asking may fail.
SKIP:
{
	skip 'needs stop points (GH_CHECKS=1)', 4 unless has_stop_points($node);
	sql('CREATE TABLE gone (id int); INSERT INTO gone SELECT generate_series(1, 1000)');
	my $gone = sql("SELECT pg_relation_filenode('gone')");
	# In one session: a new one commits as it starts.  The first commit is that of the SELECT.
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT glassheap_stop_point_set('lifecycle.before_pending_deletes', 'error', 1);\nDROP TABLE gone;\n"
		  . "SELECT 'it is gone';\nSELECT pg_cancel_backend(pg_backend_pid()) FROM generate_series(1, 1000);", on_error_stop => 1);
	like($out, qr/it is gone/, 'DROP commits although its callback had an error');
	like($err, qr/canceling statement due to user request/, '... and its session can still be interrupted');
	sql('SELECT glassheap_stop_point_clear()');
	is(sql("SELECT count(*) FROM glassheap_buffercache WHERE relfilenode = $gone"), '0', 'its pages have left the pool');
	is($node->psql('postgres', 'CHECKPOINT'), 0, 'and a checkpoint succeeds');
}

if (is_glassheap())
{
	# ---- a standby has no write-back mode, and that is no alarm
	my $standby = new_standby($node, 'mends_standby');
	is($standby->safe_psql('postgres', 'SELECT write_back IS NULL FROM glassheap_control()'), 't', 'write_back is null on a standby');
	is($standby->safe_psql('postgres', 'SELECT mode FROM glassheap_stat_checkpointer'), 'replay', '... and the mode says why');
	$standby->promote;
	$standby->poll_query_until('postgres', 'SELECT write_back FROM glassheap_control()') or die 'no guardians after promotion';
	pass('after promotion the guardians come');
	$standby->stop('fast');
}

# ---- damaged pages of a large scan, ignored
sql("CREATE TABLE damaged (id int, v text); ALTER TABLE damaged ALTER v SET STORAGE PLAIN;"
	  . "INSERT INTO damaged SELECT g, repeat('v', 720) FROM generate_series(1, 20000) g; VACUUM damaged");
my $path = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('damaged')");
$node->stop('fast');
open my $file, '+<:raw', $path or die "$path: $!";
my @bad = map { 1000 + $_ * 13 } 1 .. 10;
for my $block (@bad)
{
	seek $file, $block * 8192 + 5000, 0;
	print $file 'XXXX';
}
close $file;
$node->start;
my ($rc, $out, $err) = $node->psql('postgres', 'SET ignore_checksum_failure = on; SET max_parallel_workers_per_gather = 0; SELECT count(v) FROM damaged');
is($rc, 0, 'ignore_checksum_failure lets a scan go on');
is($out, '20000', '... over all rows');
my @warnings = $err =~ /page verification failed/g;
is(scalar @warnings, scalar @bad, '... with a warning for each damaged page');
$node->poll_query_until('postgres', "SELECT checksum_failures = " . @bad . " FROM pg_stat_database WHERE datname = 'postgres'")
  or diag sql("SELECT checksum_failures FROM pg_stat_database WHERE datname = 'postgres'");
is(sql("SELECT checksum_failures FROM pg_stat_database WHERE datname = 'postgres'"), scalar @bad, '... each of them counted');

if (is_glassheap())
{
	# ---- counters of the workers agree
	sql('CREATE TABLE w AS SELECT generate_series(1, 20000) AS id; CHECKPOINT');
	is(sql("SELECT count(*) FROM (SELECT backend_type, sum(writes) AS n FROM glassheap_stat_io GROUP BY 1) io JOIN glassheap_processes p USING (backend_type) WHERE io.n <> p.pages_written"),
		'0', 'pages_written of glassheap_processes is what glassheap_stat_io says');
	is(sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'glassheap_stat_checkpointer'::regclass AND attname IN ('num_timed', 'num_requested', 'sync_time')"),
		'0', 'glassheap_stat_checkpointer has no counters of the cluster');
}
$node->stop('fast');
done_testing();
