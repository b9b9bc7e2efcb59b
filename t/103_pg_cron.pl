# t/103_pg_cron.pl: pg_cron (Debian's package) with its own tables glassheap: schedule, alter, run, unschedule, also after
# a crash.  It deletes with simple_heap_delete and reads its table in a background worker.  Control: with the guard off it
# cannot take a job back.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'pg_cron is not installed' unless -e "$library/pg_cron.so";

my $preload = is_glassheap() ? 'pg_cron, glassheap' : 'pg_cron';
my $node = new_node('cron', shared_preload_libraries => "'$preload'", 'cron.use_background_workers' => 'on',
	max_worker_processes => 24);
my $am = access_method();
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
$node->safe_psql('postgres', "SELECT format('ALTER TABLE %s SET ACCESS METHOD $am', oid::regclass) FROM pg_class
	WHERE relkind = 'r' AND relnamespace = 'cron'::regnamespace AND relam <> (SELECT oid FROM pg_am WHERE amname = '$am') \\gexec");
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
	WHERE relkind = 'r' AND relnamespace = 'cron'::regnamespace AND amname = '$am'"), 2, "pg_cron's own tables are $am");

sub jobs { return $node->safe_psql('postgres', 'SELECT jobname, schedule, command FROM cron.job ORDER BY jobname'); }

$node->safe_psql('postgres', q{SELECT cron.schedule('j', '* * * * *', 'select 1'); SELECT cron.unschedule('j')});
is(jobs(), '', 'scheduled and unscheduled in one session');
$node->safe_psql('postgres', "SELECT cron.schedule('job$_', '0 $_ * * *', 'select $_')") for 1 .. 5;
$node->safe_psql('postgres', q{SELECT cron.schedule('job2', '30 2 * * *', 'select 22')});
$node->safe_psql('postgres', q{SELECT cron.unschedule('job3'); SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = 'job5'});
my $left = "job1|0 1 * * *|select 1\njob2|30 2 * * *|select 22\njob4|0 4 * * *|select 4";
is(jobs(), $left, 'scheduled, altered, unscheduled by name and by number');
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT cron.unschedule('job3')});
like($err, qr/could not find valid entry for job/, 'a job that is gone cannot be unscheduled again');

$node->safe_psql('postgres', 'CREATE TABLE ran (at timestamptz DEFAULT now())');
$node->safe_psql('postgres', q{SELECT cron.schedule('now', '* * * * *', 'INSERT INTO ran DEFAULT VALUES')});
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM ran}) or die 'the job did not run';
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded'}) or die 'no run on record';
pass('a job runs and is recorded');
$node->safe_psql('postgres', q{SELECT cron.unschedule('now')});

kill_server_9($node);
$node->start;
is(jobs(), $left, 'after a crash');
$node->safe_psql('postgres', q{SELECT cron.unschedule('job1')});
$node->restart;
is(jobs(), "job2|30 2 * * *|select 22\njob4|0 4 * * *|select 4", 'unscheduled, and after a restart');
if (is_glassheap())
{
	is($node->safe_psql('postgres', "SELECT * FROM glassheap_verify('$_')"), '', "$_ verified") for 'cron.job', 'cron.job_run_details';
}
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal 1[^\d5]|TRAP|check failed/, 'nothing crashed');
$node->stop;
if (is_glassheap())
{
	# Control: heap's simple_heap_delete does not find the row, which only our pool has.
	$node->not_compared('cron.job is in two pools');
	$node->append_conf('postgresql.conf', 'glassheap.import_guard = off');
	$node->start;
	($rc, $out, $err) = $node->psql('postgres', q{SELECT cron.schedule('control', '0 0 * * *', 'select 1'); SELECT cron.unschedule('control')});
	like($err, qr/attempted to delete invisible tuple/, 'control: without the guard the job cannot be taken back');
	$node->stop('immediate');
}
done_testing();
