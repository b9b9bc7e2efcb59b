# t/162_sync_errors.pl: fsync fails.  Without data_sync_retry that is a PANIC, as with heap, for nobody knows any more what the
# disk has: a kernel takes pages that it could not write for clean, and the next fsync succeeds without them.  The power
# goes after each PANIC, and all that the failed fsync had not covered is lost; recovery brings everything back.
# With data_sync_retry it is an error, the checkpoint fails, and the next one syncs again.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapShim;
use GlassheapTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_shim_node('sync', journal => 1, restart_after_crash => 'off', 'glassheap.buffers' => '1MB', shared_buffers => '1MB');
my $seed = seed_from_environment();
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql("CREATE TABLE t (id int, n int, pad text) WITH (fillfactor = 60); ALTER TABLE t ALTER pad SET STORAGE PLAIN;"
	. "INSERT INTO t SELECT g, 0, repeat('p', 200) FROM generate_series(1, 8000) g");
sql('CREATE TABLESPACE other LOCATION \'\'');
sql($_) for 'VACUUM t', 'CHECKPOINT';

# The statement ends in a PANIC about that file; the power goes; everything is there.
my $round = 0;
sub panics
{
	my ($what, $statement, $pattern, $mode) = @_;
	my $log_start = -s $node->logfile;
	my $digest = table_digest($node, 't');
	set_rules($node, "fsync $pattern count=1 error EIO");
	isnt($node->psql('postgres', $statement), 0, "$what: the statement fails");
	wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 'the server to end');
	$node->{_pid} = undef;
	$node->was_killed;
	is(fired($node), 1, "$what: one fsync failed");
	like(slurp_file($node->logfile, $log_start), qr/PANIC:  could not fsync file "(?:base|pg_tblspc)\/[^"]*": Input\/output error/, "$what: that is a PANIC, as with heap");
	set_rules($node);
	my $lost = lose_power($node, mode => $mode, seed => $seed + $round++);
	cmp_ok($lost->{lost}, '>', 0, "$what: and something is lost");
	$node->start;
	is(table_digest($node, 't'), $digest, "$what: all rows are there");
	is(sql("SELECT count(*) FROM glassheap_verify('t')"), 0, "$what: and sound") if is_glassheap();
	return;
}

my $file = sql("SELECT pg_relation_filepath('t')");
for my $fork ('', '_fsm', '_vm')
{
	for my $mode ('lose', 'torn')
	{
		# Changes of every page, and of both maps.
		sql($_) for 'UPDATE t SET n = n + 1 WHERE id % 3 = 0', 'DELETE FROM t WHERE id % 50 = ' . $round, 'VACUUM t',
		  'UPDATE t SET n = n + 1 WHERE id % 7 = 0';
		panics("checkpoint, file of t$fork, $mode", 'CHECKPOINT', "$file$fork", $mode);
	}
}
for my $statement ('VACUUM FULL t', 'ALTER TABLE t SET TABLESPACE other')
{
	# New files, which are synced by the statement itself.
	panics($statement, $statement, 'base/*|pg_tblspc/*', 'lose');
}

# ---- an error with data_sync_retry
$node->append_conf('postgresql.conf', 'data_sync_retry = on');
$node->stop('fast');
$node->start;
$file = sql("SELECT pg_relation_filepath('t')");
my $redo = 'SELECT redo_lsn FROM pg_control_checkpoint()';
sql('CHECKPOINT; UPDATE t SET n = n + 1');
my ($before, $digest, $log_start) = (sql($redo), table_digest($node, 't'), -s $node->logfile);
set_rules($node, "fsync $file count=2 error EIO");
for my $attempt (1, 2)
{
	my ($rc, $out, $error) = $node->psql('postgres', 'CHECKPOINT');
	isnt($rc, 0, "with data_sync_retry CHECKPOINT fails, attempt $attempt");
	like($error, qr/checkpoint request failed/, '... and is told so');
}
like(slurp_file($node->logfile, $log_start), qr/ERROR:  could not fsync file "\Q$file\E": Input\/output error/, 'the log has file and reason');
is(sql($redo), $before, 'no checkpoint has completed');
is($node->psql('postgres', 'CHECKPOINT'), 0, 'when the disk is well again CHECKPOINT succeeds');
isnt(sql($redo), $before, '... and completes');
is(fired($node), 2, 'two had failed');
unlike(slurp_file($node->logfile, $log_start), qr/PANIC/, 'nobody panicked');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'all rows are there');
$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
