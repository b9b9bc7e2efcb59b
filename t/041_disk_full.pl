# t/041_disk_full.pl: a file that cannot grow any more is an error of the statement, nothing else: what was committed
# stays readable, nothing is lost, and the table can be used as soon as there is room again.
#
# The limit of file size (prlimit --fsize) stands for the full disk: PostgreSQL ignores SIGXFSZ, so writes beyond it fail.
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

my $limit = 24 * 1024 * 1024;
plan skip_all => 'no prlimit' if system('prlimit --version >/dev/null 2>&1') != 0;

my $node = GlassheapNode->new('full');
my $am = access_method();
# Segments of WAL below the limit.
$node->init(extra => [ '-k', '-E', 'UTF8', '--locale=C.UTF-8', '--wal-segsize=1' ], allows_streaming => 1);
$node->append_conf('postgresql.conf', GlassheapTest::common_settings('default_table_access_method' => 'heap', 'glassheap.buffers' => '4MB', max_wal_size => '100MB'));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION glassheap') if is_glassheap();
$node->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, v text) USING $am; ALTER TABLE t ALTER v SET STORAGE PLAIN;"
	. "INSERT INTO t SELECT g, repeat('v', 1000) FROM generate_series(1, 7000) g");
my $digest = table_digest($node, 't');
$node->stop('fast');

# The limit is inherited by the server.
system('prlimit', '--pid', $$, "--fsize=$limit:") == 0 or die 'prlimit';
$node->start;
for my $attempt (1 .. 3)
{
	my ($rc, $out, $err) = $node->psql('postgres', "INSERT INTO t SELECT 100000 + g, repeat('w', 1000) FROM generate_series(1, 40000) g");
	isnt($rc, 0, "attempt $attempt: the statement fails");
	like($err, qr/ERROR:  could not (?:extend|write)/, "attempt $attempt: because the file cannot grow");
	is(table_digest($node, 't'), $digest, "attempt $attempt: all committed rows are readable");
}
my ($rc, $out, $err) = $node->psql('postgres', "COPY t FROM PROGRAM 'seq 200000 260000 | sed \"s/\$/\\t$am" . ('x' x 600) . "/\"'");
isnt($rc, 0, 'COPY fails as well');
$node->safe_psql('postgres', 'CHECKPOINT');
is(table_digest($node, 't'), $digest, 'a checkpoint goes through, the rows are there');

# What the failed statements left is dead, and VACUUM makes it room for others.
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', "INSERT INTO t SELECT 300000 + g, repeat('x', 1000) FROM generate_series(1, 5000) g");
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 12000, 'after VACUUM its room is used again');
$node->safe_psql('postgres', 'UPDATE t SET v = repeat(\'u\', 1000) WHERE id <= 100');
is($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE v LIKE 'u%'"), 100, 'rows can be updated');
# ---- the disk is full in the middle of an extension of several writes: pages that the first one added belong to
# whoever uses them, and are not written again
SKIP:
{
	skip 'needs stop points (GH_CHECKS=1)', 1 unless has_stop_points($node);
	$node->safe_psql('postgres', 'ALTER SYSTEM SET glassheap.file_extend_method = write_zeros');    # t/183 has the other one
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	wait_until(sub { $node->safe_psql('postgres', 'SHOW glassheap.file_extend_method') eq 'write_zeros' }, 'the setting');
	$node->safe_psql('postgres', "CREATE TABLE u (id int, v text) USING $am; ALTER TABLE u ALTER v SET STORAGE PLAIN;"
		. "INSERT INTO u SELECT g, repeat('u', 7000) FROM generate_series(1, 200) g");
	$node->safe_psql('postgres', 'VACUUM u');
	$node->safe_psql('postgres', 'CHECKPOINT');
	my $blocks = sub { return $node->safe_psql('postgres', "SELECT pg_relation_size('u') / 8192") };
	my $waiters = sub { return $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'extend' AND NOT granted") };
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_set('$_', 'wait')") for qw(buffer.extend_before_file storage.extend_next_run);
	my @inserts = (start_background($node, sql => "INSERT INTO u VALUES (1000, repeat('w', 7000))"));
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_wait('buffer.extend_before_file')");
	for my $waiter (1 .. 3)
	{
		push @inserts, start_background($node, sql => "INSERT INTO u VALUES (1000 + $waiter, repeat('w', 7000))");
		wait_until(sub { $waiters->() == $waiter }, "insert $waiter to wait for the extension lock");
	}
	# The first waiter adds 61 pages, for itself and the others: in two writes and a last page.
	$node->safe_psql('postgres', "SELECT glassheap_stop_point_clear('buffer.extend_before_file'), glassheap_stop_point_wait('storage.extend_next_run')");
	is($blocks->(), 200 + 1 + 32, 'the file has what the first write added');
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_locks WHERE locktype = 'extend' AND granted");
	my $full = 8192 * $blocks->();
	system('prlimit', '--pid', $pid, "--fsize=$full:") == 0 or die 'prlimit';
	is($node->safe_psql('postgres', "INSERT INTO u VALUES (-1, rpad('acknowledged', 3000)) RETURNING ctid"), '(232,1)', 'somebody inserts into its last page');
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->safe_psql('postgres', "SELECT glassheap_buffercache_evict_relation('u')");
	$node->safe_psql('postgres', 'SELECT glassheap_stop_point_clear()');
	IPC::Run::finish($_) for @inserts;
	like(slurp_file($node->logfile), qr/could not extend file[^\n]*\n(?:[^\n]*\n){0,6}?[^\n]*INSERT INTO u VALUES/, 'the second write failed');
	$node->safe_psql('postgres', "SELECT glassheap_buffercache_evict_relation('u')");
	is($node->safe_psql('postgres', 'SELECT rtrim(v) FROM u WHERE id = -1'), 'acknowledged', 'the row is there');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM u'), 200 + 1 + 2 + 1, 'and all others that were acknowledged');
	is($node->safe_psql('postgres', "SELECT count(*) FROM glassheap_verify('u')"), 0, 'nothing to complain about');
}

$digest = table_digest($node, 't');
kill_server_9($node);
$node->start;
is(table_digest($node, 't'), $digest, 'same rows after kill -9');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal/, 'nothing crashed');
done_testing();
