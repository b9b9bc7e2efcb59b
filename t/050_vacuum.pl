# t/050_vacuum.pl: vacuum interrupted at its tender moments by a crash, an error or somebody who waits; and what a
# standby makes of its records.
# SPDX-License-Identifier: PostgreSQL
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use GlassheapSession;
use GlassheapTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary', wal_consistency_checking => is_glassheap() ? "'glassheap'" : "'heap2'",
	'glassheap.buffers' => '1MB');
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');

# Nothing is wrong with a table, its index or its maps, and the rows are those.
sub is_sound
{
	my ($server, $table, $rows, $what) = @_;
	is($server->safe_psql('postgres', "SELECT count(*) FROM $table"), $rows, "$what: rows");
	is($server->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*) FROM $table WHERE id > 0"),
		$rows, "$what: rows by the index");
	is($server->safe_psql('postgres', "SELECT bt_index_check('${table}_pkey', true)"), '', "$what: index");
	is($server->safe_psql('postgres', "SELECT * FROM glassheap_verify('$table')"), '', "$what: pages and maps")
	  if is_glassheap();
	return;
}

sub fill
{
	my ($table) = @_;
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE $table (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
INSERT INTO $table SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i;
DELETE FROM $table WHERE id % 4 = 0 OR id > 15000;
SQL
	return;
}

# ---- replay on a standby
my $standby = new_standby($node, 'standby', hot_standby_feedback => 'off', max_standby_streaming_delay => '500ms');
fill('followed');
$node->wait_for_catchup($standby);
$node->safe_psql('postgres', 'VACUUM followed');
$node->wait_for_catchup($standby);
is_sound($standby, 'followed', 11250, 'standby after VACUUM');
$node->safe_psql('postgres', 'VACUUM (FREEZE) followed');
$node->wait_for_catchup($standby);
is_sound($standby, 'followed', 11250, 'standby after VACUUM FREEZE');
is($standby->safe_psql('postgres', "SELECT pg_relation_size('followed')"),
	$node->safe_psql('postgres', "SELECT pg_relation_size('followed')"), 'the tail is gone on the standby');
my $bits = 'SELECT count(*), count(*) FILTER (WHERE all_visible), count(*) FILTER (WHERE all_frozen) FROM pg_visibility_map(\'followed\')';
$node->safe_psql('postgres', 'CREATE EXTENSION pg_visibility');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $bits), $node->safe_psql('postgres', $bits), 'the same bits on the standby');
$standby->stop;

# ---- crashes without ceremony
fill('crashed');
$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP off) crashed; CHECKPOINT');
kill_server_9($node);
$node->start;
is_sound($node, 'crashed', 11250, 'crash after the first pass');
$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP on) crashed');
kill_server_9($node);
$node->start;
is_sound($node, 'crashed', 11250, 'crash after the second pass');
$node->safe_psql('postgres', 'INSERT INTO crashed SELECT i, repeat(\'y\', 100) FROM generate_series(30001, 35000) i');
is_sound($node, 'crashed', 16250, 'reuse of what was vacuumed before the crash');

# ---- at named points
SKIP:
{
	skip 'this build has no stop points', 14 unless has_stop_points($node);

	# Between index pass and second pass: the indexes have forgotten, the line pointers are still dead.
	fill('between');
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('vacuum.before_second_pass', 'wait')");
	my $vacuum = start_background($node, sql => 'VACUUM (INDEX_CLEANUP on) between', continue => 1);
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('vacuum.before_second_pass')");
	$node->safe_psql('postgres', 'INSERT INTO between SELECT i, \'new\' FROM generate_series(40001, 40100) i');
	is_sound($node, 'between', 11350, 'between the passes');
	kill_server_9($node);
	IPC::Run::finish($vacuum);
	$node->start;
	is_sound($node, 'between', 11350, 'crash between the passes');
	$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP on) between');
	is_sound($node, 'between', 11350, 'the next vacuum finishes the work');

	# An error there leaves the same state, without a crash.
	$node->safe_psql('postgres', 'DELETE FROM between WHERE id % 4 = 1');
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('vacuum.before_second_pass', 'error')");
	my ($rc, $out, $err) = $node->psql('postgres', 'VACUUM (INDEX_CLEANUP on) between');
	like($err, qr/while vacuuming relation "public.between"/, 'the error says what was being done');
	$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
	$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP on) between');
	is($node->safe_psql('postgres', "SELECT bt_index_check('between_pkey', true)"), '', 'index after the error');
}

# ---- somebody reads the table: truncation gives up after a while, says so, and leaves the tail to the next vacuum
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE tail (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
INSERT INTO tail SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i;
DELETE FROM tail WHERE id > 10;
SQL
my $full = $node->safe_psql('postgres', "SELECT pg_relation_size('tail')");
# The reader waits in its transaction for a lock that somebody else holds as long as we like.
my $holder = GlassheapSession->new($node);
$holder->ask('SELECT pg_advisory_lock(7)');
my $reader = start_background($node, sql => 'BEGIN; SELECT count(*) FROM tail; SELECT pg_advisory_xact_lock(7); COMMIT');
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
my ($vacuum_rc, $vacuum_out, $vacuum_said) = $node->psql('postgres', 'VACUUM (VERBOSE) tail');
like($vacuum_said, qr/stopping truncate due to conflicting lock request/, 'vacuum beside a reader: gives up the tail and says why');
is($node->safe_psql('postgres', "SELECT pg_relation_size('tail')"), $full, 'vacuum beside a reader: no page is gone');
is_sound($node, 'tail', 10, 'vacuum beside a reader');
$holder->ask('SELECT pg_advisory_unlock(7)');
IPC::Run::finish($reader);
$holder->close;
$node->safe_psql('postgres', 'VACUUM tail');
is($node->safe_psql('postgres', "SELECT pg_relation_size('tail')"), 8192, 'and without it the tail is gone');

$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'checksums');
done_testing();
