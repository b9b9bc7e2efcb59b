# t/075_extension.pl: a table grows by several pages at once while others use it.  A page that the file has is never made
# up: an acknowledged row on one of the new pages survives the load that added them.  Errors and
# deaths at each step of an extension leave nothing that somebody could take for a page, and frames are claimed before the
# extension lock is taken.
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

my $node = new_node('main', restart_after_crash => 'on', 'glassheap.writer_max_pages' => 0);
plan skip_all => 'needs stop points (GH_CHECKS=1)' unless has_stop_points($node);
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
my $folder = PostgreSQL::Test::Utils::tempdir();

# One row a page: the table is large enough for batches after 1024 of them.
my $loaded = 100;
append_to_file("$folder/rows", join('', map { "$_\t" . ('y' x 7000) . "\n" } 100_001 .. 100_000 + $loaded));
chmod 0644, "$folder/rows";
my $copy = "COPY t FROM '$folder/rows'";

sub make_table
{
	$node->safe_psql('postgres', <<'SQL');
DROP TABLE IF EXISTS t;
CREATE TABLE t (id int PRIMARY KEY, pad text);
ALTER TABLE t ALTER pad SET STORAGE PLAIN;
INSERT INTO t SELECT g, repeat('x', 7000) FROM generate_series(1, 1040) g;
CHECKPOINT;
SQL
	return;
}

sub stop_point
{
	my ($name, $action, $skip) = @_;
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$name', '$action', $skip)");
	return;
}

sub pages { return $node->safe_psql('postgres', "SELECT pg_relation_size('t') / 8192"); }

sub evict { return $node->safe_psql('postgres', "SELECT buffers_evicted FROM glassheap_buffercache_evict_relation('t')"); }

# Rows by scan, by index, and no complaint.
sub check_table
{
	my ($rows, $when) = @_;
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM t'), "$rows|$rows", "$when: rows");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;'
		. 'SELECT count(*) FROM t x WHERE id > -1000 AND EXISTS (SELECT FROM t y WHERE y.id = x.id)'), $rows, "$when: rows by index");
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('t')"), 0, "$when: nothing to complain about");
	$node->safe_psql('postgres', "SELECT bt_index_check('t_pkey', true)");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM glassheap_buffercache WHERE pinning_backends > 0'), 0, "$when: no pin is left");
	return;
}

# ---- somebody inserts into the last page while the load lengthens the file, and the page leaves the pool
for my $point (qw(buffer.extend_before_file buffer.extend_after_file))
{
	make_table();
	my $before = pages();
	stop_point($point, 'wait', 1);    # the first extension adds one page, the second many
	my $load = start_background($node, sql => $copy);
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('$point')");
	my $held_at = pages();
	cmp_ok($held_at - $before, $point eq 'buffer.extend_after_file' ? '>' : '==', $point eq 'buffer.extend_after_file' ? 8 : 1, "$point: length of the file when the load is held");
	my $insert = start_background($node, sql => "INSERT INTO t VALUES (-1, rpad('acknowledged', 3000)) RETURNING ctid", stdout => "$folder/insert");
	my ($done, $waits) = ('', '');
	wait_until(
		sub {
			$done = slurp_file("$folder/insert");
			$waits = $node->safe_psql('postgres', "SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t VALUES (-1%'") // '';
			return $done ne '' || $waits =~ /BufferIO|extend/;
		},
		'the insert to be done or to wait');
	like($waits, $point eq 'buffer.extend_after_file' ? qr/BufferIO/ : qr/extend/, "$point: the insert waits for the extension");
	evict();
	$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
	IPC::Run::finish($load);
	IPC::Run::finish($insert);
	like(slurp_file("$folder/insert"), qr/^\(\d+,1\)/, "$point: the insert was acknowledged");
	check_table(1040 + $loaded + 1, "$point, after the load");
	is($node->safe_psql('postgres', 'SELECT rtrim(pad) FROM t WHERE id = -1'), 'acknowledged', "$point: the row is the one that was inserted");
	$node->safe_psql('postgres', 'CHECKPOINT');
	evict();
	check_table(1040 + $loaded + 1, "$point, read again");
	kill_server_9($node);
	$node->start;
	check_table(1040 + $loaded + 1, "$point, after kill -9");
}

# ---- an error: the file is longer or not, nobody finds a made up page, and everything goes on
for my $point (qw(buffer.extend_before_file buffer.extend_after_file))
{
	make_table();
	my $before = pages();
	stop_point($point, 'error', 1);
	my ($rc, $out, $err) = $node->psql('postgres', $copy);
	like($err, qr/stop point "$point" was reached/, "$point: the load fails");
	my $after = pages();
	cmp_ok($after - $before, $point eq 'buffer.extend_after_file' ? '>' : '==', $point eq 'buffer.extend_after_file' ? 8 : 1, "$point: length of the file after the error");
	($rc, $out, $err) = $node->psql('postgres', "SELECT glassheap_get_raw_page('t', $after)");
	isnt($rc, 0, "$point: there is no page behind the end of the file");
	check_table(1040, "$point, after the error");
	$node->safe_psql('postgres', "INSERT INTO t VALUES (-1, 'later')");
	$node->safe_psql('postgres', $copy);
	check_table(1041 + $loaded, "$point, another load");
	# The tail goes and comes back: what the failed load had tagged must not be there.
	stop_point($point, 'error', 1);
	$node->psql('postgres', 'ALTER TABLE t DROP CONSTRAINT t_pkey; ' . $copy);
	$node->safe_psql('postgres', 'ALTER TABLE t DROP CONSTRAINT IF EXISTS t_pkey; DELETE FROM t WHERE id > 500 OR id = -1; VACUUM t');
	cmp_ok(pages(), '<', 520, "$point: VACUUM gave the tail back");
	$node->safe_psql('postgres', "INSERT INTO t SELECT g, repeat('z', 7000) FROM generate_series(501, 1040) g; INSERT INTO t VALUES (-1, 'again'); $copy; ALTER TABLE t ADD PRIMARY KEY (id)");
	check_table(1041 + $loaded, "$point, after truncation and another load");
	kill_server_9($node);
	$node->start;
	check_table(1041 + $loaded, "$point, after kill -9");
}

# ---- death at the same places
for my $point (qw(buffer.extend_before_file buffer.extend_after_file))
{
	make_table();
	$node->safe_psql('postgres', "INSERT INTO t VALUES (-1, 'before')");
	stop_point($point, 'kill', 1);
	my ($rc) = $node->psql('postgres', $copy);
	isnt($rc, 0, "$point: the loader died");
	wait_until(sub { my ($up) = eval { $node->psql('postgres', 'SELECT 1') }; return defined $up && $up == 0 }, 'the server to restart');
	check_table(1041, "$point, after the restart");
	$node->safe_psql('postgres', $copy);
	check_table(1041 + $loaded, "$point, a load after the restart");
}

# ---- frames are claimed before the lock: whoever is about to write a victim holds no extension lock
make_table();
$node->safe_psql('postgres', "CREATE TABLE other (id int, pad text); ALTER TABLE other ALTER pad SET STORAGE PLAIN;"
	. "INSERT INTO other SELECT g, repeat('o', 7000) FROM generate_series(1, 3000) g");
my ($held, $locked) = (0, 0);
for my $skip (0, 1, 2, 5, 12, 16, 25)
{
	for my $statement ("BEGIN; $copy; ROLLBACK", "BEGIN; INSERT INTO t SELECT g, repeat('i', 7000) FROM generate_series(200001, 200060) g; ROLLBACK")
	{
		stop_point('buffer.victim_claimed', 'wait', $skip);
		my $run = start_background($node, sql => "$statement; SELECT 'done'", stdout => "$folder/done");
		my $seen = '';
		wait_until(
			sub {
				$seen = $node->safe_psql('postgres', "SELECT (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'extend' AND relation = 't'::regclass)"
					. " FROM pg_stat_activity a WHERE query LIKE 'BEGIN; %' AND wait_event = 'Extension'");
				return $seen ne '' || slurp_file("$folder/done") =~ /done/;
			},
			'the statement to claim a frame, or to end');
		$held++ if $seen ne '';
		$locked++ if $seen =~ /[1-9]/;
		$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
		IPC::Run::finish($run);
	}
}
cmp_ok($held, '>=', 10, "frames were claimed $held times");
is($locked, 0, 'never under the extension lock of the table');

# ---- many wait for the extension lock: pages are added for them once, and they keep nobody from the pool
my $inserts_that = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t VALUES (1000 +%'";

# Six inserts, a row a page, wait for the lock while a seventh has it.  Then `prepare`, and the lock is let go; `meanwhile`
# is called before the stop points are cleared.  Returns how many waited at a stop point and by how much the table grew.
sub insert_together
{
	my ($server, %case) = @_;
	my $size = sub { return $server->safe_psql('postgres', "SELECT pg_relation_size('t') / 8192 - 40") };
	$server->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t (id int, pad text); ALTER TABLE t ALTER pad SET STORAGE PLAIN;'
		. "INSERT INTO t SELECT g, repeat('x', 7000) FROM generate_series(1, 40) g");
	$server->safe_psql('postgres', 'VACUUM t');
	$server->safe_psql('postgres', "SELECT glassheap_stop_point_set('buffer.extend_before_file', 'wait')");
	my @inserts;
	for my $nth (0 .. 6)
	{
		push @inserts, start_background($server, sql => "INSERT INTO t VALUES (1000 + $nth, repeat('w', 7000))");
		$server->safe_psql('postgres', "SELECT glassheap_stop_point_wait('buffer.extend_before_file')") if $nth == 0;
		$server->safe_psql('postgres', "SELECT glassheap_stop_point_set('$case{point}', 'wait', $case{skip})") if $nth == 0 && $case{point};
		wait_until(sub { $server->safe_psql('postgres', "$inserts_that AND wait_event IN ('extend', 'Extension')") == $nth + 1 }, "insert $nth to wait");
	}
	my $held = $server->safe_psql('postgres', "$inserts_that AND wait_event = 'Extension'");
	$server->safe_psql('postgres', $case{prepare}) if $case{prepare};
	$server->safe_psql('postgres', "SELECT glassheap_stop_point_clear('buffer.extend_before_file')");
	$case{meanwhile}->($size) if $case{meanwhile};
	$server->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
	IPC::Run::finish($_) for @inserts;
	is($server->safe_psql('postgres', 'SELECT count(*) FROM t'), 47, 'all rows are there');
	is($server->safe_psql('postgres', 'SELECT count(*) FROM glassheap_buffercache WHERE pinning_backends > 0'), 0, 'no pin is left');
	return ($held, $size->());
}

# The first waiter is held as soon as it has let the lock go.
my $added = 1 + 1 + 6 * 20;
my $others_are_done = sub {
	my ($size) = @_;
	wait_until(sub { $size->() > $added || $node->safe_psql('postgres', "$inserts_that AND state = 'active'") == 1 }, 'the other inserts to end');
};
my ($at_stop_point, $grown) = insert_together($node, point => 'heap.extend_unlocked', skip => 1, meanwhile => $others_are_done);
is($grown, $added, 'the first waiter adds pages for all six, and they find them');
($at_stop_point, $grown) = insert_together($node, prepare => "SELECT glassheap_buffercache_evict_relation('t')");
is($grown, 1 + 6, 'while the map is not in the pool nobody adds pages for others');
my $small = new_node('small', 'glassheap.buffers' => '1MB', max_connections => 100);
($at_stop_point, $grown) = insert_together($small, point => 'buffer.victim_claimed', skip => 0);
is($at_stop_point, 1, 'in a small pool those who wait for the lock have claimed no frame');
$small->stop('fast');

$node->stop('fast');
command_ok([ $node->installed_command('pg_checksums'), '--check', '-D', $node->data_dir ], 'all checksums are right');
done_testing();
