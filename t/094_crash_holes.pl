# t/094_crash_holes.pl: holes that crash recovery meets and that nothing in the log explains, and that are no damage: the
# file of an aborted CREATE TABLE was unlinked at once, while its abort record died with the server.  Heap starts; so
# must we.  And with wal_consistency_checking, a file that replay makes anew because a later record drops it holds less
# than the images say: that is no fault either.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# No fsync of the log behind the test's back: only its own commits flush.
my $node = new_node('main', full_page_writes => 'off', restart_after_crash => 'off');
my $am   = access_method();
$node->safe_psql('postgres', 'CREATE TABLE other (a int)');

# ---- 1. the file is gone, the record that says so is lost
my ($in, $out) = ('', '');
my $session = IPC::Run::start(
	[ $node->installed_command('psql'), '-XAtq', '-f', '-', '-d', $node->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
my $turn = 0;
sub ask
{
	my ($sql) = @_;
	++$turn;
	$in .= "$sql\n\\echo turn $turn\n";
	$session->pump until $out =~ /turn $turn\b/ || !$session->pumpable;
	return;
}
ask(<<'SQL');
BEGIN;
CREATE TABLE lost (a int, b text);
INSERT INTO lost SELECT g, 'a' FROM generate_series(1, 100) g;
SELECT 'file ' || pg_relation_filepath('lost') || ' of ' || txid_current();
SQL
my ($path, $xid) = $out =~ /^file (\S+) of (\d+)$/m or die "no path: $out";
$node->safe_psql('postgres', 'CHECKPOINT');
ask("INSERT INTO lost SELECT g, 'a' FROM generate_series(101, 110) g;");
# A commit flushes the log up to here; from now on nobody else does.
$node->safe_psql('postgres', 'INSERT INTO other VALUES (1)');
my $walwriter = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
kill 'STOP', $walwriter;
ask('ROLLBACK;');
my $file = $node->data_dir . "/$path";
ok(!-s $file, 'the file of the aborted table is gone');
my $redo = $node->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
kill_server_9($node);
eval { $session->finish };
my ($records) = run_command([ $node->installed_command('pg_waldump'), '-p', $node->data_dir . '/pg_wal', '-s', $redo ]);
like($records, qr/^rmgr: \S+\s.*tx:\s+$xid\b/m, 'the log has changes of the aborted transaction');
unlike($records, qr/Transaction.*tx:\s+$xid\b.*ABORT/, 'and not its end');
is($node->start(fail_ok => 1), 1, 'the server starts') or die 'no server';
is($node->safe_psql('postgres', 'SELECT a FROM other'), 1, 'with what was acknowledged');
# ---- 2. the same while pages are compared with their images
SKIP:
{
	skip 'glassheap only', 2 unless is_glassheap();
	$node->safe_psql('postgres', "ALTER SYSTEM SET wal_consistency_checking = 'glassheap'; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', "SELECT current_setting('wal_consistency_checking') = 'glassheap'");
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE gone AS SELECT g AS a, repeat('g', 100) AS b FROM generate_series(1, 3000) g;
CREATE TABLE kept AS SELECT g AS a, repeat('k', 100) AS b FROM generate_series(1, 3000) g;
VACUUM gone;
VACUUM kept;
CHECKPOINT;
SQL
	$node->safe_psql('postgres', $_) for (
		'UPDATE gone SET a = a + 1 WHERE a % 100 = 0',
		"INSERT INTO gone SELECT g, repeat('n', 100) FROM generate_series(1, 3000) g",
		'UPDATE gone SET a = a + 1 WHERE a % 100 = 1',
		'VACUUM gone', 'UPDATE gone SET a = a + 1 WHERE a % 90 = 0', 'UPDATE kept SET a = a + 1 WHERE a % 90 = 0',
		'DROP TABLE gone');
	my $digest = table_digest($node, 'kept');
	kill_server_9($node);
	# What counts is how the WAL was written, not what is set now.
	$node->append_conf('postgresql.conf', 'full_page_writes = on');
	is($node->start(fail_ok => 1), 1, 'recovery compares what can be compared, and starts') or die 'no server';
	is(table_digest($node, 'kept'), $digest, 'nothing is lost');
}
$node->stop;
done_testing();
